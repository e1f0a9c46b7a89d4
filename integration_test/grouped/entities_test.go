package grouped_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/repo"
)

// long ago: no save of today leaves these times as they are.
var longAgo = time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)

func named(name string) *record { return &record{Name: name} }

// renamed is e, as it was read, with another name.
func renamed(e *record, name string) *record {
	other := *e
	other.Name = name
	return &other
}

// saves are calls of Save and SaveAll, and the entities that they are given.
type saves struct {
	*site
	ctx context.Context //nolint:containedctx // of one test
	t   *testing.T
	es  [][]*record
}

func (s *saves) call(ctx context.Context, es ...*record) {
	s.t.Helper()
	s.es = append(s.es, es)
	s.pile(s.ctx, s.t, func() error {
		if len(es) == 1 {
			return s.locked.Save(ctx, es[0])
		}
		return s.locked.SaveAll(ctx, es)
	})
}

// finish checks that the calls that may fail do, and no others, and that the entities of
// those are what they were. Entities of the others have what is stored.
func (s *saves) finish(fails ...int) (errs []error) {
	s.t.Helper()
	before := lo.Map(s.es, func(es []*record, _ int) []record { return lo.FromSlicePtr(es) })
	errs = s.site.finish(s.ctx, s.t)
	for i, err := range errs {
		after := lo.FromSlicePtr(s.es[i])
		switch failed := lo.Contains(fails, i); {
		case failed != (err != nil):
			s.t.Errorf("call %d: got %v", i, err)
		case failed && !reflect.DeepEqual(after, before[i]):
			s.t.Errorf("call %d: the entities of a save that failed are\n%+v, and were\n%+v", i, after, before[i])
		case !failed:
			s.wantStored(i, after, before[i])
		}
	}
	return errs
}

func (s *saves) wantStored(call int, after, before []record) {
	s.t.Helper()
	for i, e := range after {
		stored, err := s.plain.FindByID(s.ctx, e.ID)
		if err != nil || stored.Name != e.Name || stored.Version != e.Version || stored.UpdatedAt.Sub(e.UpdatedAt).Abs() > time.Second {
			s.t.Errorf("call %d: %+v is stored as %+v, %v", call, e, stored, err)
		}
		if e.Version != before[i].Version+1 {
			s.t.Errorf("call %d: the version was %d and is %d", call, before[i].Version, e.Version)
		}
	}
}

// An entity that is refused keeps the key, the version and the times that it had, whether
// the database refuses it or its hook does. Those of the others are what is stored, however
// many attempts it took.
func TestEntitiesOfAFailedSave(t *testing.T) {
	onSites(t, func(ctx context.Context, t *testing.T, s *site) {
		stored := []*record{named("a"), named("b"), named("c"), named("d")}
		check.Must(t, s.plain.SaveAll(ctx, stored))
		own := errors.New("the hook's own")
		refusing := withHook(ctx, func(_ context.Context, e *record) error {
			e.By, e.N = "the hook", e.N+1
			return own
		})
		c := &saves{site: s, ctx: ctx, t: t}
		c.call(ctx, named("first"))
		c.call(ctx, named("new 1"))
		c.call(ctx, &record{Name: "negative", N: -1, CreatedAt: longAgo})
		c.call(ctx, renamed(stored[0], "b")) // which is taken
		c.call(ctx, renamed(stored[2], "c 2"))
		c.call(ctx, named("new 2"), named("new 3"), named("d"))
		c.call(refusing, named("hooked"))
		c.call(refusing, renamed(stored[3], "d 2"))
		c.call(ctx, named("new 4"), named("new 5"))
		errs := c.finish(2, 3, 5, 6, 7)
		for _, i := range []int{3, 5} {
			if !errors.Is(errs[i], repo.ErrDuplicateKey) {
				t.Errorf("call %d: got %v", i, errs[i])
			}
		}
		for _, i := range []int{6, 7} {
			if !errors.Is(errs[i], own) {
				t.Errorf("call %d: got %v", i, errs[i])
			}
		}
	})
}

// Where the lock is lost all entities are what they were, in the first attempt and in the
// one that leaves out what failed in the first.
func TestEntitiesAfterALoss(t *testing.T) {
	for name, late := range map[string]bool{"FirstAttempt": false, "SecondAttempt": true} {
		t.Run(name, func(t *testing.T) {
			onSites(t, func(ctx context.Context, t *testing.T, s *site) {
				stored := []*record{named("a"), named("b")}
				check.Must(t, s.plain.SaveAll(ctx, stored))
				ran := 0
				losing := withHook(ctx, func(attempt context.Context, e *record) error {
					e.By = "the hook"
					if ran++; late && ran == 1 {
						return nil
					}
					if err := s.cluster.Expire(ctx, s.other, key); err != nil {
						return err
					}
					<-attempt.Done() // else it is committed before the loss is noticed
					return nil
				})
				c := &saves{site: s, ctx: ctx, t: t}
				c.call(ctx, named("first"))
				c.call(ctx, named("new 1"))
				c.call(ctx, renamed(stored[0], "a 2"))
				c.call(ctx, named("new 2"), renamed(stored[1], "b 2"))
				c.call(ctx, named("new 3"))
				if late {
					c.call(ctx, &record{Name: "negative", N: -1})
				}
				c.call(losing, named("new 4"))
				for i, err := range c.finish(lo.RangeFrom(1, len(c.es)-1)...) {
					if i > 0 && !errors.Is(err, etcdlock.ErrLost) {
						t.Errorf("call %d: got %v", i, err)
					}
				}
				if n, err := s.plain.Count(ctx); err != nil || n != 3 {
					t.Errorf("%d are stored, %v; want those from before and the first call's", n, err)
				}
			})
		})
	}
}
