package lockedrepo_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/etcdlock"
)

// slow is work that takes longer than one batch may keep the lock.
func slow() { <-time.After(20 * time.Millisecond) }

// turns notes who had the lock, in their order.
type turns struct {
	mu   sync.Mutex
	list []string
}

func (o *turns) add(who string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, who)
}

// While a long pile is written another process queues. It gets the lock between two parts
// of the pile.
func TestGroup_LongPileMakesWay(t *testing.T) {
	t.Parallel()
	ctx := groupContext(t)
	s := newGroupSite(ctx, t, &etcdlock.Options{MaxTurns: 1}, pieceOf("a"))
	var order turns
	another, g := make(chan error, 1), newGate()
	for i := range 6 {
		s.pile(ctx, t, s.updating(ctx, "a", func(*piece) error { // of one piece: a transaction for each
			order.add(fmt.Sprint(i))
			if i == 1 {
				g.wait()
				slow()
			}
			return nil
		}))
	}
	s.run(ctx, t)
	<-g.reached
	go func() {
		another <- s.other.Do(ctx, pieceKey, func(context.Context) error { order.add("another"); return nil })
	}()
	awaitQueueOf(t, s.other, pieceKey, 2)
	close(g.opened)
	wantAll(t, append(s.answered(ctx, t), <-another))
	if want := []string{"0", "1", "another", "2", "3", "4", "5"}; !slices.Equal(order.list, want) {
		t.Errorf("the turns were %q, want %q", order.list, want)
	}
}

// groupSizes are how many calls and how many elements the groups had.
func (s *groupSite) groupSizes() (calls, elements []int) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	groups := lo.Filter(s.store.attempts, func(a *groupAttempt, _ int) bool { return a.method == "SaveGroup" })
	for _, a := range groups {
		calls = append(calls, len(a.calls))
		elements = append(elements, lo.SumBy(a.calls, func(ids string) int { return 1 + strings.Count(ids, ",") }))
	}
	return calls, elements
}

func numbered(prefix string, n int) []string {
	return lo.Times(n, func(i int) string { return fmt.Sprint(prefix, i) })
}

// However many wait, no more than 256 are saved together.
func TestGroup_CountIsBounded(t *testing.T) {
	t.Parallel()
	ctx := groupContext(t)
	s := newGroupSite(ctx, t, nil)
	s.store.unbounded = true
	s.pile(ctx, t, s.saving(ctx, numbered("a", 301)...)...)
	wantAll(t, s.finish(ctx, t))
	if calls, _ := s.groupSizes(); !slices.Equal(calls, []int{256, 44}) {
		t.Errorf("groups of %d calls", calls)
	}
}

// A group has no more than 1000 elements. A call with more than half of that is made by
// itself.
func TestGroup_ElementsAreBounded(t *testing.T) {
	t.Parallel()
	ctx := groupContext(t)
	s := newGroupSite(ctx, t, nil)
	s.store.unbounded = true
	for i, n := range []int{1, 500, 500, 1, 499, 500, 1} {
		es := lo.Map(numbered(fmt.Sprint("list ", i, " "), n), func(id string, _ int) *piece { return pieceOf(id) })
		s.pile(ctx, t, func() error { return s.pieces.SaveAll(ctx, es) })
	}
	before := s.store.asked.Load()
	long := lo.Map(numbered("long ", 501), func(id string, _ int) *piece { return pieceOf(id) })
	s.begin(func() error { return s.pieces.SaveAll(ctx, long) })
	await(ctx, t, "the long call to wait", func() bool { return s.store.asked.Load() > before })
	wantAll(t, s.finish(ctx, t))
	calls, elements := s.groupSizes()
	if !slices.Equal(calls, []int{2, 3}) || !slices.Equal(elements, []int{1000, 1000}) {
		t.Errorf("groups of %d calls with %d elements", calls, elements)
	}
	if alone := lo.CountBy(s.store.tried(), func(a string) bool { return strings.HasPrefix(a, "SaveAll long") }); alone != 1 {
		t.Errorf("the long call was made %d times by itself", alone)
	}
}

// What one batch did not come to goes on with those that have come since. They are no
// larger group for it.
func TestGroup_CountIsBoundedAfterALongBatch(t *testing.T) {
	t.Parallel()
	ctx := groupContext(t)
	s := newGroupSite(ctx, t, nil, pieceOf("stored"))
	s.store.unbounded = true
	s.pile(ctx, t, s.saving(ctx, "first")...)
	g := newGate()
	s.pile(ctx, t, s.updating(ctx, "stored", func(*piece) error {
		g.wait()
		slow()
		return nil
	}))
	s.pile(ctx, t, s.saving(ctx, numbered("early ", 200)...)...)
	s.run(ctx, t)
	<-g.reached
	s.pile(ctx, t, s.saving(ctx, numbered("late ", 200)...)...)
	close(g.opened)
	wantAll(t, s.answered(ctx, t))
	if calls, _ := s.groupSizes(); lo.Sum(calls) != 400 || slices.Max(calls) > 256 {
		t.Errorf("groups of %d calls", calls)
	}
}
