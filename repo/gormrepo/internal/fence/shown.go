package fence

import (
	"slices"
	"sync"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
)

// Shown is what a transaction has shown so far. The zero value has shown nothing. Its
// methods may be called concurrently.
type Shown struct {
	mu sync.Mutex
	ShownMark
}

// ShownMark is the state that a rollback to a savepoint returns to: claims that were
// shown since then have to be shown again.
type ShownMark struct {
	// keys are those of the claims.
	keys []string
	// guarded are the tables whose guards were looked at after their keys were
	// shown, so that they stay.
	guarded []string
	// op names the transaction, once claims were shown by something that writes.
	op string
}

// Begin notes what a transaction has begun with. The claim of the guard's key said
// that it is the guard.
func (s *Shown) Begin(w *Showing) {
	s.add(w)
	if w.guard.key != "" {
		s.sawGuard(w.resource)
	}
}

// Op names the operation of the transaction, empty while there is none.
func (s *Shown) Op() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.op
}

// Mark is the state now.
func (s *Shown) Mark() ShownMark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ShownMark{slices.Clone(s.keys), slices.Clone(s.guarded), s.op}
}

// Reset returns to a mark.
func (s *Shown) Reset(m ShownMark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ShownMark = m
}

func (s *Shown) add(w *Showing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, lo.Map(w.claims, func(c repo.Claim, _ int) string { return c.Key })...)
	s.op = lo.CoalesceOrEmpty(w.op, s.op)
}

// missing leaves the claims that were not shown.
func (s *Shown) missing(claims []repo.Claim) []repo.Claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	return lo.Reject(claims, func(c repo.Claim, _ int) bool { return slices.Contains(s.keys, c.Key) })
}

func (s *Shown) isGuarded(resource string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.guarded, resource)
}

func (s *Shown) sawGuard(resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guarded = append(s.guarded, resource)
}
