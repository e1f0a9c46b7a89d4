package gormrepo

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
)

// Options changes how a repository works. The zero value and nil mean the
// defaults.
type Options struct {
	// NewID makes the key of an entity that is saved without one, for types
	// with a single key that is not an assigned integer. Where it is given it
	// is used instead of the database's own numbering, as it is needed for
	// tables that Hibernate fed from a sequence. Its result must be what an id
	// of the type may be, else saving is repo.ErrInvalid. It is called before
	// the transaction of the save begins, with the context of the call. By
	// default the database numbers integer keys, and other keys without a
	// database default must be set by the caller or by a BeforeSave hook.
	NewID func(ctx context.Context) (any, error)

	// Revive makes saving an entity that is marked as deleted bring it back,
	// as if the mark were not there. By default it is repo.ErrNotFound.
	Revive bool

	// Associations makes Save, SaveAll, SmartSave and Update save the
	// associations of the entities too, as GORM's FullSaveAssociations does:
	// associated entities are inserted or overwritten, and none is ever
	// removed. GORM's own rules hold for them, not those of this package: no
	// version is checked and a deletion mark is overwritten. By default
	// associations are left alone. Reading them is a matter of repo.Native with
	// Preload.
	Associations bool
}

func (o *Options) orDefault() Options {
	if o == nil {
		return Options{}
	}
	return *o
}

func (o *Options) check(m *model) error {
	if o.NewID != nil && (len(m.key) > 1 || m.isInt && !m.generated) {
		return fmt.Errorf("%w: NewID for %s, whose key is composite or an assigned integer", repo.ErrInvalid, m.entity.Type)
	}
	if o.Revive && len(m.deleted) > 0 {
		if _, ok := m.aliveValue(); !ok {
			return fmt.Errorf("%w: Revive with the soft delete of %s", repo.ErrUnsupported, m.entity.Type)
		}
	}
	return nil
}
