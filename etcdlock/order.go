package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/internal/cohort"
	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// OrderError says that a wait was ended because it could be part of a deadlock:
// the context held a name that others waited for, wanted one that sorts before it,
// and nothing moved for Options.DeadlockTimeout. It matches ErrOrder.
type OrderError struct {
	Wanted string // the name that was waited for
	Holder Holder // who held it all that time
	Held   string // a name that the context holds
	Waiter Holder // who waited for that one all that time
}

// Error names both sides.
func (e *OrderError) Error() string {
	return fmt.Sprintf("%v: %q is held by %s, and %s waits for %q, which is held here", ErrOrder, e.Wanted, e.Holder, e.Waiter, e.Held)
}

// Unwrap returns ErrOrder.
func (e *OrderError) Unwrap() error { return ErrOrder }

// Processes that wait for one another in a circle hold names and wait for others.
// If everybody waited for names in sorted order only, there could be no circle: in
// each, somebody waits for a name that sorts before one that he holds. So it is
// enough if every such wait ends. It ends with an OrderError once the same holder has
// had the wanted name, and the same waiter has waited for a held one, for the whole of
// DeadlockTimeout. While nobody waits for what the context holds, nobody waits for
// it in a circle.

// takeOutOfOrder waits for a name that sorts before one that is held.
func (l *Locker) takeOutOfOrder(ctx context.Context, r *request, name string, held *held, own *session.Lease) (*turn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l.session.Spawn(func() {
		if err := l.awaitDeadlock(ctx, name, held); err != nil {
			cancel(err)
		}
	})
	t, err := l.await(ctx, r, name, held, own)
	if stuck, ok := errors.AsType[*OrderError](context.Cause(ctx)); ok && err != nil {
		return nil, stuck
	}
	return t, err
}

// samples is how often, within the bound, it is read how things stand. To count them, and
// not the time, keeps a process that was stopped from taking that for a standstill.
const samples = 4

// awaitDeadlock returns an OrderError once nothing has moved for the bound, and nil when
// ctx ends.
func (l *Locker) awaitDeadlock(ctx context.Context, name string, held *held) error {
	var last holding
	seen := map[blocked]int{} // how often, since the last holder has the name
	for session.Pause(ctx, max(l.deadlockTimeout/samples, time.Millisecond)) {
		now, waiters, err := l.standstill(ctx, name, held)
		if err != nil {
			continue // nobody knows; what is seen next tells whether something has moved
		}
		earlier := seen
		if now != last {
			earlier, last = nil, now
		}
		seen = make(map[blocked]int, len(waiters))
		for _, w := range waiters {
			if seen[w] = earlier[w] + 1; seen[w] > samples {
				return &OrderError{Wanted: name, Holder: now.by, Held: w.held, Waiter: w.by}
			}
		}
	}
	return nil
}

// holding is who has a name: a key and, in this process, a turn.
type holding struct {
	by   Holder
	turn int64
}

// blocked is somebody who waits for a name that is held here.
type blocked struct {
	held  string
	by    Holder
	local *cohort.Waiter // a goroutine of this process, else nil
}

// standstill tells who has the name, and who waits for those that are held.
// There are none if the name is about to come.
func (l *Locker) standstill(ctx context.Context, name string, held *held) (now holding, waiters []blocked, err error) {
	turns := held.live()
	places := make([]queue.Member, 0, len(turns))
	for _, t := range turns {
		place := t.Node.Member()
		places = append(places, place)
		if w := l.cohorts.Status(t.Name()).Blocked; w != nil {
			self := queue.Member{Name: t.Name(), Owner: l.queues.Self}
			waiters = append(waiters, blocked{held: t.Name(), by: holder(&self, true), local: w})
		}
	}
	here := l.cohorts.Status(name)
	if here.Node != nil {
		if here.Turn == 0 {
			return now, nil, nil
		}
		own := here.Node.Member()
		now = holding{holder(&own, false), here.Turn}
	}
	owner, next, err := l.queues.Around(ctx, name, places)
	if err != nil || here.Node == nil && owner == nil {
		return now, nil, err
	}
	if here.Node == nil {
		now = holding{by: holder(owner, false)}
	}
	for i, t := range turns {
		if m := next[i]; m != nil && !m.Tries() { // which does not stay
			waiters = append(waiters, blocked{held: t.Name(), by: holder(m, true)})
		}
	}
	return now, waiters, nil
}
