package lockedrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-go/holdfast/repo"
)

// KeysOf returns the names of the locks that calls for these ids take, sorted: for code
// that locks by hand. An id may be an entity. Without Options.Stripes they are those of
// Keys. An id that the repository would refuse, and no id at all, is ErrInvalid.
//
//	hold, err := locker.Lock(ctx, keys...) // calls under hold.Context() are one unit
func (r *Repository[T]) KeysOf(ids ...any) ([]string, error) {
	m := r.For(ids...).lockable()
	if m.unusable != nil {
		return nil, fmt.Errorf("lockedrepo: keys: %w", m.unusable)
	}
	return slices.Clone(m.keys), nil
}

// For is the repository for InTx, with the locks for these ids alone. An id may be an entity.
// The function given to InTx can use entities of other stripes as well: their
// locks are taken at the first use, as those of a repository that was not named. It cannot
// call Find or Count, which is ErrStripes. Without Options.Stripes it is the repository
// itself. InTx returns ErrInvalid for an id that the repository would refuse, and for no ids.
func (r *Repository[T]) For(ids ...any) Lockable {
	if r == nil || r.striping == nil {
		return r
	}
	var of mask
	var err error
	if len(ids) == 0 {
		err = fmt.Errorf("%w: no ids", repo.ErrInvalid)
	}
	for _, id := range ids {
		its, bad := r.striping.ofID(id)
		of, err = of|its, errors.Join(err, bad)
	}
	m := *r.lockset(context.Background(), of).member
	m.unusable = err
	return part{&m}
}

// part is a repository with some of its stripes.
type part struct{ *member }

func (p part) lockable() *member { return p.member }
