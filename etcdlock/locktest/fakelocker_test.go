package locktest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
)

type fakeLocker struct {
	s       *store
	closing context.Context
	refuse  context.CancelFunc

	mu    sync.Mutex
	open  map[*fakeLock]struct{}
	empty chan struct{} // closed, and replaced, whenever open becomes empty
}

func newFake(s *store) *fakeLocker {
	ctx, cancel := context.WithCancel(context.Background())
	return &fakeLocker{
		s: s, closing: ctx, refuse: cancel,
		open: make(map[*fakeLock]struct{}), empty: make(chan struct{}),
	}
}

// heldKey is the context key of the places that a context holds.
type heldKey struct{ l *fakeLocker }

func (l *fakeLocker) Lock(ctx context.Context, names ...string) (locktest.Lock, error) {
	return l.lock(ctx, names, false)
}

func (l *fakeLocker) TryLock(ctx context.Context, names ...string) (locktest.Lock, error) {
	return l.lock(ctx, names, !l.s.faults.tryWaits)
}

func (l *fakeLocker) lock(ctx context.Context, names []string, try bool) (locktest.Lock, error) {
	f := l.s.faults
	sorted := slices.Clone(names)
	if !f.unsorted {
		slices.Sort(sorted)
	}
	if f.firstNameOnly && len(sorted) > 0 {
		sorted = sorted[:1]
	}
	distinct := len(slices.Compact(slices.Sorted(slices.Values(names)))) == len(names)
	if !f.anyNames && (len(names) == 0 || slices.Contains(names, "") || !distinct) {
		return nil, etcdlock.ErrInvalid
	}
	if ctx.Err() != nil && !f.takesDead {
		return nil, fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
	}
	if l.closing.Err() != nil && !f.closeIsOpen {
		return nil, etcdlock.ErrClosed
	}
	l.s.mu.Lock()
	dead := f.diesOfLoss && l.s.lossy
	l.s.mu.Unlock()
	if dead {
		return nil, etcdlock.ErrUnavailable
	}
	k := &fakeLock{l: l}
	held, _ := ctx.Value(heldKey{l}).(*fakeLock)
	for _, name := range sorted {
		p, err := l.take(ctx, name, held, try)
		if err != nil {
			if !try || !f.tryKeepsSome {
				k.leave()
			}
			return nil, err
		}
		k.places = append(k.places, p)
		k.nested = append(k.nested, held.has(p))
	}
	k.begin(ctx, held)
	return k, nil
}

func (l *fakeLocker) take(ctx context.Context, name string, held *fakeLock, try bool) (*place, error) {
	f := l.s.faults
	var after []*place // held names that sort after
	for outer := held; outer != nil && !f.noNesting; outer = outer.outer {
		for _, p := range outer.places {
			switch {
			case p.name == l.s.key(name) && outer.ended() && !f.staleNesting:
				return nil, etcdlock.ErrLost
			case p.name == l.s.key(name), f.nestsAnything:
				return p, nil
			case name < p.name && !f.orderWaits:
				after = append(after, p)
			}
		}
	}
	p := l.s.join(name, try || f.orderRefuses && after != nil)
	switch {
	case p == nil && try:
		return nil, etcdlock.ErrHeld
	case p == nil:
		return nil, etcdlock.ErrOrder
	}
	if err := l.await(ctx, p, after); err != nil {
		if !f.leaksWaiter {
			l.s.leave(p)
		}
		return nil, err
	}
	return p, nil
}

// await waits for the place, but not while another waits for one of those that are
// held.
func (l *fakeLocker) await(ctx context.Context, p *place, held []*place) error {
	f := l.s.faults
	stuck, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, h := range held {
		go func() {
			select {
			case <-h.want:
				cancel()
			case <-stuck.Done():
			}
		}()
	}
	done, closing := ctx.Done(), l.closing.Done()
	if f.ignoresCancel {
		done = nil
	}
	if f.closeForgetsWaits || f.closeIsOpen {
		closing = nil // else a free name is refused as often as not
	}
	if f.takesDead {
		done = nil
	}
	select {
	case <-p.turn:
		return nil
	case <-closing:
		return etcdlock.ErrClosed
	case <-stuck.Done():
		return etcdlock.ErrOrder
	case <-l.s.stopped.Done():
		return errors.New("the test is over")
	case <-done:
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && !f.bareTimeout {
		return fmt.Errorf("%w: %w", etcdlock.ErrTimeout, ctx.Err())
	}
	return fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
}

func (l *fakeLocker) Close(ctx context.Context) error {
	l.refuse()
	if l.s.faults.closeForgetsHolds {
		return ctx.Err()
	}
	for {
		l.mu.Lock()
		n, empty := len(l.open), l.empty
		l.mu.Unlock()
		if n == 0 {
			return nil
		}
		if ctx.Err() == nil && !l.s.faults.closeHurries {
			select {
			case <-empty:
				continue
			case <-ctx.Done():
			case <-l.s.stopped.Done():
			}
		}
		l.mu.Lock()
		for k := range l.open {
			for _, p := range k.places {
				l.s.mu.Lock()
				p.over = etcdlock.ErrClosed
				l.s.mu.Unlock()
			}
			k.cancel(etcdlock.ErrClosed)
			k.leave()
		}
		clear(l.open)
		l.mu.Unlock()
		return ctx.Err()
	}
}

type fakeLock struct {
	l      *fakeLocker
	ctx    context.Context
	cancel context.CancelCauseFunc
	outer  *fakeLock
	places []*place
	nested []bool // the place is an outer lock's
	once   sync.Once
	err    error
}

func (k *fakeLock) has(p *place) bool {
	for ; k != nil; k = k.outer {
		if slices.Contains(k.places, p) {
			return true
		}
	}
	return false
}

func (k *fakeLock) ended() bool { return k.ctx.Err() != nil }

func (k *fakeLock) begin(ctx context.Context, outer *fakeLock) {
	f := k.l.s.faults
	k.outer = outer
	if !f.diesWithCaller {
		ctx = context.WithoutCancel(ctx)
	}
	if f.dropsValues {
		ctx = context.Background()
	}
	k.ctx, k.cancel = context.WithCancelCause(context.WithValue(ctx, heldKey{k.l}, k))
	k.l.s.mu.Lock()
	for i, p := range k.places {
		if !k.nested[i] {
			p.end = k.cancel
		}
	}
	k.l.s.mu.Unlock()
	if !slices.Contains(k.nested, false) {
		return
	}
	k.l.mu.Lock()
	k.l.open[k] = struct{}{}
	k.l.mu.Unlock()
}

// leave gives up the places that are the lock's own.
func (k *fakeLock) leave() {
	for i, p := range k.places {
		if !k.nested[i] || k.l.s.faults.nestedUnlockFrees {
			k.l.s.leave(p)
		}
	}
}

func (k *fakeLock) Context() context.Context { return k.ctx }

func (k *fakeLock) Token() int64 {
	if len(k.places) != 1 {
		return 0
	}
	return k.places[0].token
}

func (k *fakeLock) TokenOf(name string) (int64, bool) {
	for _, p := range k.places {
		if p.name == k.l.s.key(name) {
			return p.token, true
		}
	}
	return 0, false
}

func (k *fakeLock) Unlock(ctx context.Context) error {
	s := k.l.s
	if s.faults.unlockNeedsContext && ctx.Err() != nil {
		return ctx.Err()
	}
	first := false
	k.once.Do(func() {
		first = true
		s.mu.Lock()
		for _, p := range k.places {
			if !s.faults.silentLoss {
				k.err = errors.Join(k.err, p.over)
			}
		}
		if s.faults.litters {
			s.litter = append(s.litter, k.places[0].name)
		}
		lost := errors.Is(k.err, etcdlock.ErrLost)
		s.mu.Unlock()
		if !s.faults.keepsContext {
			k.cancel(nil)
		}
		k.leave()
		if lost && s.faults.lossFreesNext {
			k.takeAway()
		}
		k.l.mu.Lock()
		delete(k.l.open, k)
		if len(k.l.open) == 0 {
			close(k.l.empty)
			k.l.empty = make(chan struct{})
		}
		k.l.mu.Unlock()
	})
	if !first && s.faults.unlockTakesOthers {
		k.takeAway()
	}
	return k.err
}

// takeAway frees the name, no matter who holds it: the fault of an unlock by name.
func (k *fakeLock) takeAway() {
	s := k.l.s
	s.mu.Lock()
	q := s.queues[k.places[0].name]
	s.mu.Unlock()
	if len(q) > 0 {
		s.leave(q[0])
	}
}
