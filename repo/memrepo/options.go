package memrepo

import (
	"context"
	"time"
)

// Options changes how a repository works. The zero value and nil mean the
// defaults.
type Options struct {
	// DB is what the repository belongs to. Those on one take part in the same
	// transactions. By default it has a DB of its own.
	DB *DB

	// Documents has the repository behave as one on MongoDB where stores differ:
	// created and updated times are those that the tags mark, there are no
	// defaults, and options may name fields of nested structs. By default it behaves as GORM on SQL:
	// CreatedAt and UpdatedAt are times by their names, and a field of a nested
	// struct that is neither embedded nor JSON (`gorm:"serializer:json"`) is no
	// column, hence repo.ErrUnsupported.
	Documents bool

	// VersionFromZero gives new entities version 0 and not 1, as Hibernate and
	// Spring Data do. An entity with version 0 that is saved then overwrites one
	// that is stored with version 0 under its key, new or not, unless T has the
	// method IsNew() bool.
	VersionFromZero bool

	// NewID makes the key of an entity that is saved without one, for types
	// with a single key that is not an assigned integer
	// (`gorm:"autoIncrement:false"`). Its result must be what an id of the type
	// may be, else saving is repo.ErrInvalid; its error is returned. It is
	// called while the repository is locked and must not use it. By default
	// integer keys are counted up and other keys must be set.
	NewID func(ctx context.Context) (any, error)

	// Now gives the time for created, updated and deleted fields. It is called
	// while the repository is locked. By default it is time.Now.
	Now func() time.Time

	// Unique lists constraints in addition to those of the tags: each is a list of Go
	// field names that no two entities may have equal values in.
	Unique [][]string

	// Revive makes saving an entity that is marked as deleted bring it back,
	// as if the mark were not there. By default it is repo.ErrNotFound.
	Revive bool
}
