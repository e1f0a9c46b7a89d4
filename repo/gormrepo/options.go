package gormrepo

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/fence"
)

// Options changes how a repository works. The zero value and nil mean the
// defaults.
type Options struct {
	// NewID makes the key of an entity that is saved without one, for types
	// with a single key that is not an assigned integer. Where it is given it
	// is used instead of the database's own numbering, as it is needed for
	// tables whose keys another program makes. Its result must be what an id
	// of the type may be, else saving is repo.ErrInvalid. It is called before
	// the transaction of the save begins, with the context of the call. By
	// default the database numbers integer keys, and other keys without a
	// database default must be set by the caller or by a BeforeSave hook.
	NewID func(ctx context.Context) (any, error)

	// Sequence takes keys from a sequence as Hibernate does, instead of NewID; see
	// there. By default a zero integer key asks the table for a number.
	Sequence *Sequence

	// VersionFromZero gives new entities version 0 and not 1, as Hibernate and
	// Spring Data do. An entity with version 0 that is saved overwrites one that is
	// stored with version 0 or none under its key, with this option and without,
	// unless T has the method IsNew() bool.
	VersionFromZero bool

	// TimesAsGiven leaves times as they are on PostgreSQL, where the driver stores the
	// clock of their own zone in columns without one (timestamp). By default such
	// columns keep UTC, as they are read, and created, updated and deleted times are
	// in UTC. Choose it where another program keeps a local clock in them.
	TimesAsGiven bool

	// Revive makes saving an entity that is marked as deleted bring it back,
	// as if the mark were not there. By default it is repo.ErrNotFound.
	Revive bool

	// SkipCallbacks lets saves overwrite by one statement that GORM's callbacks for
	// Create do not see, also where plugins have registered some; see New. It suits
	// those that only watch, as for metrics, and never those that guard rows.
	SkipCallbacks bool

	// Associations makes every method that saves entities save what they are
	// associated with, in the same transaction; see the package comment. By default
	// associations are left alone.
	Associations bool

	// Orphans names associations by their Go fields, "Lines" or "Lines.Parts", whose
	// stored elements are deleted when an entity is saved without them. A nil list,
	// and a nil pointer, say nothing and delete nothing. It needs Associations; see
	// the package comment. Update reads these associations with the entity.
	Orphans []string

	// Preload names other associations, in the same way, which Update reads with the
	// entity, so that its function can change them. It needs Associations.
	Preload []string

	// HoldLimit bounds, for transactions under a fence, how long a statement
	// waits for a lock and how long the transaction may be idle, which the
	// database enforces: the row of the fence is a lock that outlasts the one in
	// etcd, and the transaction of a host that vanished would keep it for
	// hours. It should be longer than the lock's TTL, and than fn of Update and
	// InTx takes between two statements. A wait that was too long is
	// repo.ErrBusy. MySQL rounds it to whole seconds. By default it is
	// DefaultHoldLimit; NoHoldLimit leaves it to the settings of the database.
	// SQLite needs none: a lock ends with its process.
	HoldLimit time.Duration

	// FenceSchema names the schema of the fence's tables (on MySQL the database),
	// for entities whose own schema cannot have them. All writers of the table must
	// name the same one. By default the fence is in the schema of the entity's
	// table, wherever the connection looks first; a view has it where the table
	// below it is. On SQLite it must be the file of the table.
	FenceSchema string

	// KeepOps is how long the note of a write under a fence is kept, by which
	// Outcome tells whether it happened. Older ones are deleted by the way, a few
	// with every so many writes, by every process that writes. It is one minute at
	// least; choose it longer than anybody would ask later, and than clocks differ.
	// By default it is DefaultKeepOps; KeepAllOps leaves them to PruneOps.
	KeepOps time.Duration
}

// DefaultKeepOps is what Options.KeepOps is by default.
const DefaultKeepOps = 24 * time.Hour

// KeepAllOps as Options.KeepOps deletes no notes.
const KeepAllOps time.Duration = -1

// DefaultHoldLimit is what Options.HoldLimit is by default: three times the
// default TTL of a lock.
const DefaultHoldLimit = 30 * time.Second

// NoHoldLimit as Options.HoldLimit turns the limit off.
const NoHoldLimit time.Duration = -1

func (o *Options) orDefault() Options {
	opts := Options{}
	if o != nil {
		opts = *o
	}
	if opts.HoldLimit == 0 {
		opts.HoldLimit = DefaultHoldLimit
	}
	if opts.KeepOps == 0 {
		opts.KeepOps = DefaultKeepOps
	}
	return opts
}

func (o *Options) check(m *model, d dialect) error {
	if o.Sequence != nil {
		if o.NewID != nil {
			return fmt.Errorf("%w: NewID together with a Sequence", repo.ErrInvalid)
		}
		if err := o.Sequence.check(m, d); err != nil {
			return err
		}
	}
	if o.NewID != nil && (len(m.key) > 1 || m.isInt && len(m.made) == 0) {
		return fmt.Errorf("%w: NewID for %s, whose key is composite or an assigned integer", repo.ErrInvalid, m.entity.Type)
	}
	if o.HoldLimit < 0 && o.HoldLimit != NoHoldLimit {
		return fmt.Errorf("%w: a HoldLimit of %v", repo.ErrInvalid, o.HoldLimit)
	}
	if o.KeepOps < fence.MinPruneAge && o.KeepOps != KeepAllOps {
		return fmt.Errorf("%w: a KeepOps of %v", repo.ErrInvalid, o.KeepOps)
	}
	if o.Revive && len(m.deleted) > 0 {
		if _, ok := m.aliveValue(); !ok {
			return fmt.Errorf("%w: Revive with the soft delete of %s", repo.ErrUnsupported, m.entity.Type)
		}
	}
	return nil
}
