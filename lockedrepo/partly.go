package lockedrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/internal/fencing"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
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
	m := *r.lane(context.Background(), of).member
	m.unusable = err
	return part{&m}
}

// part is a repository with some of its stripes.
type part struct{ *member }

func (p part) lockable() *member { return p.member }

// only is the member with one of its stripes.
func (m *member) only(stripe string) *member {
	one := *m
	keep := func(keys []string) []string {
		return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return driver.SetOf(key) == m.set && key != stripe })
	}
	one.keys, one.fenced = keep(m.keys), keep(m.fenced)
	return &one
}

// held reports whether ctx, or the transaction that it carries, has all the keys.
func (m *member) held(ctx context.Context) bool {
	scope, _ := ctx.Value(scopeKey{}).(*scope)
	return !slices.ContainsFunc(m.keys, func(key string) bool {
		return !fencing.OfLocker(m.locker).Holding(ctx, key) && !scope.holds(m.locker, key)
	})
}

// holds tells whether the transaction has taken a key.
func (s *scope) holds(locker *etcdlock.Locker, key string) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.held, func(h *scopeHold) bool { return h.locker == locker && slices.Contains(h.keys, key) })
}

// covers refuses a read that belongs to what stripes protect while some of them are not
// held. In a transaction those of ids are taken at their first use.
func (m *member) covers(ctx context.Context, doing string) error {
	if m.set == "" || m.held(ctx) || inScope(ctx) && len(m.keys) < len(m.all) {
		return nil
	}
	return fmt.Errorf("lockedrepo: %s: %w: of %q; name the repository or all ids in InTx, lock Keys or KeysOf, or read with ReadUnlocked",
		doing, ErrStripes, m.set)
}
