package lockedrepo

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// MinStripes and MaxStripes bound the number of stripes. One call of Lock takes all of
// them when it has to.
const (
	MinStripes = 2
	MaxStripes = 64
)

// ErrStripes is returned by a read in a transaction or under a hold that has stripes of
// the type, but not all that the read needs: what it returns could change before it is
// saved. It matches repo.ErrInvalid. Name the repository itself in InTx, or all the ids in
// [Repository.For], or read with [ReadUnlocked] where no write is built on it.
var ErrStripes = fmt.Errorf("%w: stripes of the lock are not held", repo.ErrInvalid)

// Stripes divide the lock of a type into several, so that different entities are saved at
// the same time, by different processes too. See [ByID] and [ByFunc]. The zero value is
// one lock for the type.
type Stripes struct {
	n  int
	by string // the function that made it
	of any    // a func(*T) string of ByFunc
}

// ByID locks one of n stripes for each entity, by its id. All spellings of an id are of
// one stripe: 7, int64(7) and a pointer to it, and texts that differ in capitals,
// punctuation, spaces, zeros or in how a UUID is written, because some databases take
// these for equal. A text with other characters than printable ones of ASCII, and a key
// that is no text, integer, bool or array of bytes, takes all stripes. So do entities
// whose key implements driver.Valuer and is no array of bytes.
func ByID(n int) Stripes { return Stripes{n: n, by: "ByID"} }

// ByFunc locks one of n stripes for each entity, by a text that of returns, such as a
// tenant, a region or a path. The text must be part of what the entity is and never
// change: an Update that changes it is repo.ErrInvalid and writes nothing. Texts are
// compared as ByID compares ids. For an empty text all stripes are locked.
//
// Calls by id lock by the text of the id where that is a T or *T. Any other id tells
// nothing: Update reads the entity first, and looks again when it has the lock;
// DeleteByID and DeleteAllByID lock all stripes. The stored entity must have the text of
// the one that is saved, deleted, or merged into it: a document of SmartSave has to name
// the fields that of reads, or all stripes are locked.
func ByFunc[T any](n int, of func(e *T) string) Stripes {
	return Stripes{n: n, by: "ByFunc", of: of}
}

// set is the name under which the stripes guard a table.
func (s Stripes) set(key string) string { return driver.StripeSet(key, s.n) }

// striping finds the stripes of calls.
type striping[T any] struct {
	keyer driver.Keyer[T]
	of    func(e *T) string // nil: by id
	lanes []*lane[T]
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
		l := &lane[T]{member: whole.only(driver.Stripe(whole.set, i)), stripes: 1 << i}
		l.group = newGroup(inner, l.member, o)
		l.queues = l.group.close
		s.lanes = append(s.lanes, l)
	}
	s.home = rand.IntN(len(s.lanes)) //nolint:gosec // nobody gains by guessing it
	return s, nil
}

func (s *striping[T]) all() mask { return 1<<len(s.lanes) - 1 }

// hash is the stripe of a text. Processes of different versions must agree on it.
func (s *striping[T]) hash(text string) mask {
	if text == "" {
		return s.all()
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	sum := h.Sum64()
	return 1 << ((sum ^ sum>>32) % uint64(len(s.lanes)))
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
