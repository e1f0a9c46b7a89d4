package etcdlock

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// quickly has deadlocks end soon, and nothing else.
func quickly() *Options {
	return &Options{TTL: time.Hour, DeadlockTimeout: 50 * time.Millisecond}
}

// philosopher holds one name and wants another, and gives both back in the end.
func philosopher(ctx context.Context, l *Locker, holds, wants string, seated *sync.WaitGroup) error {
	k, err := l.Lock(ctx, holds)
	seated.Done()
	if err != nil {
		return err
	}
	seated.Wait()
	err = l.Do(k.Context(), wants, func(context.Context) error { return nil })
	return errors.Join(err, k.Unlock(ctx))
}

// dine seats one at each of the names, who all want the next one. It returns what
// they say.
func dine(t *testing.T, ls []*Locker, names ...string) []error {
	t.Helper()
	errs := make([]error, len(names))
	var wg, seated sync.WaitGroup
	seated.Add(len(names))
	for i, name := range names {
		wg.Go(func() {
			errs[i] = philosopher(t.Context(), ls[i%len(ls)], name, names[(i+1)%len(names)], &seated)
		})
	}
	wg.Wait()
	return errs
}

// Those who wait in a circle do not all succeed, at least one is told, and at least one
// goes on. It is so whether they are of one process or of several, or a mixture.
func TestOrder_CirclesEnd(t *testing.T) {
	t.Parallel()
	for name, names := range map[string][]string{
		"Two": {"a", "b"}, "Three": {"a", "b", "c"}, "ThreeBackwards": {"c", "b", "a"}, "Five": {"c", "a", "e", "b", "d"},
	} {
		for who, processes := range map[string]int{"OneProcess": 1, "TwoProcesses": 2, "Apart": 5} {
			t.Run(name+who, func(t *testing.T) {
				t.Parallel()
				srv := newServer(t)
				var ls []*Locker
				for range min(processes, len(names)) {
					ls = append(ls, lockerOn(t, srv, quickly(), nil, nil))
				}
				failed := 0
				for i, err := range dine(t, ls, names...) {
					if err == nil {
						continue
					}
					failed++
					stuck, ok := errors.AsType[*OrderError](err)
					if !ok || !errors.Is(err, ErrOrder) || stuck.Held != names[i] || stuck.Wanted != names[(i+1)%len(names)] {
						t.Errorf("%q: %v", names[i], err)
						continue
					}
					if stuck.Wanted > stuck.Held {
						t.Errorf("a wait in sorted order was ended: %v", err)
					}
					if stuck.Holder.PID == 0 || stuck.Holder.Waiting || stuck.Waiter.PID == 0 || !stuck.Waiter.Waiting {
						t.Errorf("it does not tell who: %+v", stuck)
					}
					for _, want := range []string{`"` + stuck.Held + `"`, `"` + stuck.Wanted + `"`, stuck.Holder.String()} {
						if !strings.Contains(err.Error(), want) {
							t.Errorf("%q does not say %s", err, want)
						}
					}
				}
				if failed == 0 || failed == len(names) {
					t.Errorf("%d of %d failed", failed, len(names))
				}
			})
		}
	}
}

// Nobody waits for what the context holds, so the wait is not bounded.
func TestOrder_WaitsWhileNobodyIsBehind(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var reads atomic.Int64
	l := lockerOn(t, srv, quickly(), func(_ context.Context, req any, serve func() error) error {
		if step(req) == "Check" {
			reads.Add(1)
		}
		return serve()
	}, nil)
	other := lockerOn(t, srv, quickly(), nil, nil)
	for _, busy := range []*Locker{other, l} {
		a, b := lockNow(t, busy, "a"), lockNow(t, l, "b")
		done := make(chan error, 1)
		go func() {
			k, err := l.Lock(b.Context(), "a")
			if err == nil {
				err = k.Unlock(context.Background())
			}
			done <- err
		}()
		// Tries and those who hold nothing themselves are in no circle.
		before := reads.Load()
		eventually(t, "several times the bound", func() bool {
			_, err := other.TryLock(t.Context(), "b")
			return !errors.Is(err, ErrHeld) || reads.Load() > before+20
		})
		select {
		case err := <-done:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		unlockNow(t, a)
		if err := <-done; err != nil {
			t.Error(err)
		}
		unlockNow(t, b)
	}
}

// Waits in an unlucky order without a circle all succeed, also those that are longer
// than the bound together, because the name changes hands.
func TestOrder_CrowdWithoutACircle(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var wg sync.WaitGroup
	for i := range 4 {
		l := lockerOn(t, srv, &Options{TTL: time.Hour, DeadlockTimeout: 200 * time.Millisecond}, nil, nil)
		for range 4 {
			wg.Go(func() {
				for range 10 {
					err := l.Do(t.Context(), "orders", func(ctx context.Context) error {
						if err := l.Do(ctx, "customers", func(context.Context) error { return nil }); err != nil {
							return err
						}
						return l.Do(ctx, "products", func(context.Context) error { return nil })
					})
					if err != nil {
						t.Errorf("%d: %v", i, err)
						return
					}
				}
			})
		}
		wg.Go(func() { // others who use only what the crowd wants out of order
			for range 50 {
				if err := l.Do(t.Context(), "customers", func(context.Context) error { return nil }); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// The wanted name changes hands again and again. That takes longer than the bound, and is
// no standstill, although the same other waits for the held name all the time.
func TestOrder_TheNameChangesHands(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var seen atomic.Int64
	opts := &Options{TTL: time.Hour, Linger: NoLinger}
	l := lockerOn(t, srv, opts, func(_ context.Context, req any, serve func() error) error {
		if step(req) == "Check" {
			seen.Add(1)
		}
		return serve()
	}, nil)
	others := lockerOn(t, srv, opts, nil, nil)
	b, z := lockNow(t, l, "b"), lockNow(t, others, "0")
	behind := make(chan *Lock)
	go func() {
		k, err := others.Lock(z.Context(), "b")
		if err != nil {
			t.Error(err)
		}
		behind <- k
	}()
	awaitQueue(t, srv, "b", 2)
	holders := make(chan *Lock, 2*samples)
	for i := range 2 * samples {
		k := lockerOn(t, srv, opts, nil, nil)
		go func() { holders <- lockNow(t, k, "a") }()
		awaitQueue(t, srv, "a", i+1)
	}
	wanted := make(chan error, 1)
	go func() {
		k, err := l.Lock(b.Context(), "a")
		if err == nil {
			err = k.Unlock(context.Background())
		}
		wanted <- err
	}()
	awaitQueue(t, srv, "a", 2*samples+1)
	for range 2 * samples {
		k, before := <-holders, seen.Load()
		eventually(t, "two samples", func() bool { return seen.Load() > before+1 })
		unlockNow(t, k)
	}
	if err := <-wanted; err != nil {
		t.Error(err)
	}
	unlockNow(t, b)
	unlockNow(t, <-behind)
	unlockNow(t, z)
}

// A fixed term waits out of order likewise, as a wanted and as a held name.
func TestOrder_FixedTerms(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	l, other := lockerOn(t, srv, quickly(), nil, nil), lockerOn(t, srv, quickly(), nil, nil)
	a, b := lockNow(t, other, "a"), lockNow(t, l, "b")
	circle := make(chan *Lock)
	go func() {
		k, err := other.LockWithTTL(a.Context(), time.Hour, "b")
		if err != nil {
			t.Error(err)
		}
		circle <- k
	}()
	awaitQueue(t, srv, "b", 2)
	if _, err := l.LockWithTTL(b.Context(), time.Hour, "a"); !errors.Is(err, ErrOrder) {
		t.Errorf("got %v", err)
	}
	awaitQueue(t, srv, "a", 1)
	unlockNow(t, b)
	fixed := <-circle

	// Now other holds a, and b for a term, under which l waits for it.
	c := lockNow(t, l, "0")
	waiting := make(chan *Lock)
	go func() {
		k, err := l.Lock(c.Context(), "b")
		if err != nil {
			t.Error(err)
		}
		waiting <- k
	}()
	awaitQueue(t, srv, "b", 2)
	if _, err := other.Lock(fixed.Context(), "0"); !errors.Is(err, ErrOrder) {
		t.Errorf("got %v", err)
	}
	unlockNow(t, fixed)
	unlockNow(t, <-waiting)
	unlockNow(t, c)
	unlockNow(t, a)
}

// While etcd does not tell, nobody is taken for stuck; the caller's context still
// ends the wait.
func TestOrder_EtcdIsSilent(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	asked := make(chan struct{}, 10)
	l := lockerOn(t, srv, quickly(), func(_ context.Context, req any, serve func() error) error {
		if step(req) == "Check" {
			select {
			case asked <- struct{}{}:
			default:
			}
			return errReplyLost
		}
		return serve()
	}, nil)
	other := lockerOn(t, srv, nil, nil, nil)
	a, b := lockNow(t, other, "a"), lockNow(t, l, "b")
	ctx, cancel := context.WithCancel(b.Context())
	go func() {
		eventually(t, "it to have asked", func() bool { return len(asked) == cap(asked) })
		cancel()
	}()
	if _, err := l.Lock(ctx, "a"); !errors.Is(err, context.Canceled) || errors.Is(err, ErrOrder) {
		t.Errorf("got %v", err)
	}
	unlockNow(t, b)
	unlockNow(t, a)
}
