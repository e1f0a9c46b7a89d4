package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

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
func (l *Locker) takeOutOfOrder(ctx context.Context, name string, held *held, fixed *session.Lease) (*turn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l.session.Spawn(func() {
		if err := l.awaitDeadlock(ctx, name, held); err != nil {
			cancel(err)
		}
	})
	t, err := l.await(ctx, name, held, fixed)
	if stuck, ok := errors.AsType[*OrderError](context.Cause(ctx)); ok && err != nil {
		return nil, stuck
	}
	return t, err
}

// looks is how often the bound is divided by looks at how things stand. To count them, and
// not the time, keeps a process that was stopped from taking that for a standstill.
const looks = 4

// awaitDeadlock returns an OrderError once nothing has moved for the bound, and nil when
// ctx ends.
func (l *Locker) awaitDeadlock(ctx context.Context, name string, held *held) error {
	var last holding
	seen := map[blocked]int{} // how often, since the last holder has the name
	for session.Pause(ctx, max(l.deadlockTimeout/looks, time.Millisecond)) {
		now, waiters, err := l.standstill(ctx, name, held)
		if err != nil {
			continue // nobody knows; what is seen next tells whether something has moved
		}
		before := seen
		if now != last {
			before, last = nil, now
		}
		seen = make(map[blocked]int, len(waiters))
		for _, w := range waiters {
			if seen[w] = before[w] + 1; seen[w] > looks {
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
	local *waiter // a goroutine of this process, else nil
}

// standstill tells who has the name, and who waits for those that are held.
// There are none if the name is about to come.
func (l *Locker) standstill(ctx context.Context, name string, held *held) (now holding, waiters []blocked, err error) {
	turns := held.live()
	l.stations.mu.Lock()
	for _, t := range turns {
		if w := l.stations.byName[t.e.name].blocked(); w != nil {
			waiters = append(waiters, blocked{held: t.e.name, by: l.self(t.e.name, nil), local: w})
		}
	}
	local := false
	if s := l.stations.byName[name]; s != nil && s.hold != nil {
		if s.turn == nil {
			l.stations.mu.Unlock()
			return now, nil, nil
		}
		local, now = true, holding{l.self(name, s.hold.e), s.turn.n}
	}
	l.stations.mu.Unlock()

	first := clientv3.OpGet(l.prefix(name), clientv3.WithFirstCreate()...)
	reads := []clientv3.Op{first}
	for _, t := range turns {
		behind := append(clientv3.WithFirstCreate(), clientv3.WithMinCreateRev(t.e.rev+1))
		reads = append(reads, clientv3.OpGet(t.e.prefix, behind...))
	}
	var resp *clientv3.TxnResponse
	err = l.session.Call(ctx, func(ctx context.Context) (err error) {
		resp, err = l.cli.Txn(ctx).Then(reads...).Commit()
		return err
	})
	if err != nil {
		return now, nil, err
	}
	if !local {
		holder, err := l.oldest(ctx, l.prefix(name), resp.Responses[0].GetResponseRange())
		if err != nil || holder == nil {
			return now, nil, err
		}
		now = holding{by: l.holder(name, holder)}
	}
	for i, t := range turns {
		next, err := l.oldest(ctx, t.e.prefix, resp.Responses[i+1].GetResponseRange(), clientv3.WithMinCreateRev(t.e.rev+1))
		if err != nil {
			return now, nil, err
		}
		if next != nil && !asks(string(next.Key)) { // it does not stay
			waiters = append(waiters, blocked{held: t.e.name, by: l.waiter(t.e.name, next)})
		}
	}
	return now, waiters, nil
}

func (l *Locker) waiter(name string, kv *mvccpb.KeyValue) Holder {
	h := l.holder(name, kv)
	h.Waiting = true
	return h
}

// blocked returns the first goroutine in line that holds other names, nil if there
// is none: who holds nothing keeps nobody waiting. The caller holds the mutex.
func (s *station) blocked() *waiter {
	if s == nil {
		return nil
	}
	for at := s.line.Front(); at != nil; at = at.Next() {
		if w := at.Value.(*waiter); w.holds {
			return w
		}
	}
	return nil
}
