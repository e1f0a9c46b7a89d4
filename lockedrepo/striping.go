package lockedrepo

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// striping finds the stripes of calls.
type striping[T any] struct {
	keyer    driver.Keyer[T]
	of       func(e *T) string // nil: by id
	locksets []*lockset[T]
	// home is the stripe for entities without a key, another one in each repository:
	// the saves of a process wait together, and do not wait for those of others.
	home int
}

// mask is a set of stripes.
type mask uint64

// newStriping returns nil for a repository with one lock for its type.
func newStriping[T any](inner repo.Repository[T], whole *member, o Options) (*striping[T], error) {
	s := &striping[T]{}
	if o.Stripes.by == "" {
		return nil, nil
	}
	if o.Stripes.by == "ByFunc" {
		if s.of, _ = o.Stripes.of.(func(*T) string); s.of == nil {
			return nil, fmt.Errorf("%w: ByFunc wants a %T, not nil or a %T", repo.ErrInvalid, s.of, o.Stripes.of)
		}
	}
	var ok bool
	if s.keyer, ok = repo.As[driver.Keyer[T]](inner); !ok {
		return nil, fmt.Errorf("%w: %T is no driver.Keyer, so it cannot be told which stripe an id belongs to", repo.ErrUnsupported, inner)
	}
	for i := range o.Stripes.n {
		l := &lockset[T]{member: whole.only(driver.Stripe(whole.set, i)), stripes: 1 << i}
		l.group = newGroup(inner, l.member, o)
		l.queues = l.group.close
		s.locksets = append(s.locksets, l)
	}
	s.home = rand.IntN(len(s.locksets)) //nolint:gosec // nobody gains by guessing it
	return s, nil
}

func (s *striping[T]) all() mask { return 1<<len(s.locksets) - 1 }

// hash is the stripe of a text. Processes of different versions must agree on it.
func (s *striping[T]) hash(text string) mask {
	if text == "" {
		return s.all()
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	sum := h.Sum64()
	return 1 << ((sum ^ sum>>32) % uint64(len(s.locksets)))
}

// ofEntity is the stripe of an entity: none for one that may have any, all where it
// cannot be told.
func (s *striping[T]) ofEntity(e *T) mask {
	if s.of != nil {
		return s.hash(driver.FormOfText(s.of(e)))
	}
	form := s.keyer.FormOf(e)
	if form.None {
		return 0
	}
	return s.hash(form.Text)
}

func (s *striping[T]) ofID(id any) (mask, error) {
	form, err := s.keyer.FormOfID(id)
	switch {
	case err != nil:
		return 0, err
	case s.of == nil:
		return s.hash(form.Text), nil
	}
	switch e := id.(type) {
	case *T:
		return s.ofEntity(e), nil
	case T:
		return s.ofEntity(&e), nil
	default:
		return s.all(), nil
	}
}

// ofIDs are the stripes of ids. Those that can be no ids are refused by the repository
// inside, and need none.
func (s *striping[T]) ofIDs(ids []any) mask {
	return lo.Reduce(ids, func(m mask, id any, _ int) mask {
		its, err := s.ofID(id)
		if err != nil {
			return m
		}
		return m | its
	}, 0)
}

// lockset is what calls for some stripes lock, and what waits for that lock in this process.
type lockset[T any] struct {
	*member
	stripes mask
	group   *group[T] // nil where calls are not saved together
}
