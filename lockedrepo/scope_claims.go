package lockedrepo

import (
	"cmp"
	"context"
	"slices"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/internal/fencing"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// guarded is the fence of a transaction for the calls of one of its
// repositories. It is a driver.Guard.
type guarded struct {
	*scope
	guards []string
}

func (g guarded) Keys() []string { return g.guards }

// Claims are those of all locks that the transaction holds and shows.
func (s *scope) Claims() []repo.Claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []repo.Claim
	for _, h := range s.held {
		if h.drawer == nil {
			continue
		}
		for _, c := range h.drawer.Claims() {
			if slices.Contains(h.shown, c.Key) {
				all = append(all, c)
			}
		}
	}
	slices.SortFunc(all, func(a, b repo.Claim) int { return cmp.Compare(a.Key, b.Key) })
	return all
}

// fence returns a context under which the store is shown the claims of the
// transaction, for entities that the keys guard. Where there are none, nothing is
// shown: a store could take the keys of the claims for those of the entities.
func (s *scope) fence(ctx context.Context, guards []string) context.Context {
	if guards == nil {
		return unfenced(ctx)
	}
	return driver.WithFence(ctx, guarded{s, guards})
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
