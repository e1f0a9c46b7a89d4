package lockedrepo

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/internal/fencing"
	"github.com/holdfast-go/holdfast/repo"
)

// lockset has the locks of some stripes. For none of them it is one that ctx holds, or that of the
// process.
func (r *Repository[T]) lockset(ctx context.Context, of mask) *lockset[T] {
	s := r.striping
	switch bits.OnesCount64(uint64(of)) {
	case 0:
		return s.anyLockset(ctx)
	case 1:
		return s.locksets[bits.TrailingZeros64(uint64(of))]
	case len(s.locksets):
		return r.whole
	}
	locksets := lo.Filter(s.locksets, func(l *lockset[T], _ int) bool { return of&l.stripes != 0 })
	m := *r.whole.member
	m.exclusion = lo.Reduce(locksets, func(x exclusion, l *lockset[T], _ int) exclusion { return x.join(l.exclusion) }, locksets[0].exclusion)
	m.queues = func() { closeAll(locksets) }
	return &lockset[T]{member: &m, stripes: of}
}

func closeAll[T any](locksets []*lockset[T]) {
	for _, l := range locksets {
		l.group.close()
	}
}

func (s *striping[T]) anyLockset(ctx context.Context) *lockset[T] {
	if inScope(ctx) || fencing.OfLocker(s.locksets[0].locker).HoldsAny(ctx) {
		if held, ok := lo.Find(s.locksets, func(l *lockset[T]) bool { return l.held(ctx) }); ok {
			return held
		}
	}
	return s.locksets[s.home]
}

func (r *Repository[T]) locksetOf(ctx context.Context, es []*T) *lockset[T] {
	if r.striping == nil {
		return r.whole
	}
	return r.lockset(ctx, lo.Reduce(es, func(m mask, e *T, _ int) mask { return m | r.striping.ofEntity(e) }, 0))
}

func (r *Repository[T]) locksetOfIDs(ctx context.Context, ids ...any) *lockset[T] {
	if r.striping == nil {
		return r.whole
	}
	return r.lockset(ctx, r.striping.ofIDs(ids))
}

// errOtherStripe says that an entity is not of the stripe that was locked for it.
var errOtherStripe = errors.New("lockedrepo: the entity is of another stripe")

// route finds the stripe of the entity with an id that does not tell: it reads it. Who
// gets the lockset has to look again under the lock. Where there is none, it is all stripes.
func (r *Repository[T]) route(ctx context.Context, id any) *lockset[T] {
	l := r.locksetOfIDs(ctx, id)
	if l != r.whole || l.held(ctx) {
		return l
	}
	e, err := r.inner.FindByID(unfenced(l.waitBounded(ctx)), id)
	if err != nil {
		return r.whole
	}
	return r.locksetOf(ctx, []*T{e})
}

// keeping has a function given to Update change only what is of the stripes.
func (s *striping[T]) keeping(stripes mask, fn func(*T) error) func(*T) error {
	return func(e *T) error {
		before := s.of(e)
		if s.ofEntity(e)&^stripes != 0 {
			return errOtherStripe
		}
		if err := fn(e); err != nil {
			return err
		}
		if after := s.of(e); after != before {
			return fmt.Errorf("lockedrepo: update: %w: what ByFunc returns has changed from %q to %q", repo.ErrInvalid, before, after)
		}
		return nil
	}
}

// among refuses entities that were read under other stripes than theirs.
func (s *striping[T]) among(ctx context.Context, l *lockset[T], es []*T) error {
	if s == nil || s.of == nil || !l.protects(ctx) || !slices.ContainsFunc(es, func(e *T) bool { return s.ofEntity(e)&^l.stripes != 0 }) {
		return nil
	}
	return fmt.Errorf("%w: an entity is of another stripe than its id", ErrStripes)
}

// readLockset is the lockset of a read by ids: it matters only where the read is protected.
func (r *Repository[T]) readLockset(ctx context.Context, ids ...any) *lockset[T] {
	if r.striping == nil || !r.whole.protects(ctx) {
		return r.whole
	}
	return r.locksetOfIDs(ctx, ids...)
}
