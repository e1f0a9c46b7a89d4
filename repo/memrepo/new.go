package memrepo

import (
	"fmt"
	"reflect"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

type checked struct{ ID int }

var (
	_ driver.DocumentSaver[checked] = (*Repository[checked])(nil)
	_ driver.TxReporter             = (*Repository[checked])(nil)
	_ driver.Fencer                 = (*Repository[checked])(nil)
	_ driver.GroupUpdater[checked]  = (*Repository[checked])(nil)
	_ driver.Reader[checked]        = (*Repository[checked])(nil)
	_ repo.Store[checked]           = (*Repository[checked])(nil)
)

// New makes an empty repository. It returns repo.ErrInvalid when T is no
// struct, has no key or is marked wrongly, when Options.Unique names a field that T
// does not have, and when a literal default is none of its field's type.
func New[T any](opts *Options) (*Repository[T], error) {
	ent, err := entity.Parse(reflect.TypeFor[T]())
	if err != nil {
		return nil, fmt.Errorf("memrepo: new: %w", err)
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.DB == nil {
		o.DB = NewDB()
	}
	unique, err := indexesOf(ent, o.Unique)
	if err != nil {
		return nil, fmt.Errorf("memrepo: new: %w", err)
	}
	r := &Repository[T]{ent: ent, newID: o.NewID, now: o.Now, revive: o.Revive, db: o.DB, table: newTable[T](unique)}
	if !o.VersionFromZero {
		r.first = 1
	}
	if !o.Documents {
		r.columns = columnsOf(ent)
		timesByName(ent)
		if r.defaults, err = literalsOf(ent); err != nil {
			return nil, fmt.Errorf("memrepo: new: %w", err)
		}
	}
	return r, nil
}
