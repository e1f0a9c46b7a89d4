package etcdlock

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/memetcd"
)

// Processes that go on wanting a name hand it on with one request a round, and
// watch what they watched before: the whole queue if it is short, else who is before
// them.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	for name, lockers := range map[string]int{"Short": 3, "Long": nearEnough + 6} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const rounds = 60
			srv := memetcd.New(nil)
			t.Cleanup(srv.Close)
			var sent counted
			ls := make([]*Locker, lockers)
			for i := range ls {
				ls[i] = lockerOn(t, srv, &Options{MaxTurns: 1}, sent.intercept, nil)
			}
			var inside, last, views atomic.Int64
			var wg sync.WaitGroup
			first := lockNow(t, lockerOn(t, srv, nil, nil, nil), "n") // until all are there
			for i := range 2 * lockers {                              // two for each, so that one is in line when the other leaves
				l := ls[i/2]
				wg.Go(func() {
					for range rounds / 2 {
						k, err := l.Lock(t.Context(), "n")
						if err != nil {
							t.Error(err)
							return
						}
						if inside.Add(1) != 1 || last.Swap(k.Token()) > k.Token() {
							t.Error("two hold the lock, or one out of order")
						}
						l.stations.mu.Lock()
						if l.stations.byName["n"].view != nil {
							views.Add(1)
						}
						l.stations.mu.Unlock()
						inside.Add(-1)
						if err := k.Unlock(t.Context()); err != nil {
							t.Error(err)
						}
					}
				})
			}
			awaitQueue(t, srv, "n", 1+lockers)
			unlockNow(t, first)
			wg.Wait()
			handovers := sent.exchanges.Load()
			t.Logf("%d exchanges, %d checks, %d watches, %d views", handovers, sent.checks.Load(), sent.watches.Load(), views.Load())
			if handovers < int64(lockers)*rounds/2 {
				t.Fatalf("%d exchanges: the queue was not long", handovers)
			}
			if got := sent.checks.Load(); got > handovers/4 {
				t.Errorf("%d checks", got)
			}
			if got := sent.watches.Load(); got > handovers/4 {
				t.Errorf("%d watches", got)
			}
			if got := views.Load(); lockers > nearEnough+1 && got > handovers/4 {
				t.Errorf("%d holds that look at the whole queue", got)
			}
			for _, l := range ls {
				eventually(t, "the end of all that is watched", func() bool {
					l.stations.mu.Lock()
					defer l.stations.mu.Unlock()
					s := l.stations.byName["n"]
					return s == nil || s.before == nil
				})
			}
		})
	}
}

// Where rounds take long, a short queue is looked at as a whole, by one watch that
// stays: every wait and every hold would need watches of its own.
func TestNeighbours_Slow(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var sent counted
	var wg sync.WaitGroup
	first := lockNow(t, lockerOn(t, srv, nil, nil, nil), "n") // until all are there
	for range 2 {
		l := lockerOn(t, srv, &Options{MaxTurns: 1}, sent.intercept, nil)
		for range 2 { // so that one is in line when the other leaves
			wg.Go(func() {
				for range 4 {
					k := lockNow(t, l, "n")
					eventually(t, "the hold to be watched for its age", func() bool {
						l.stations.mu.Lock()
						defer l.stations.mu.Unlock()
						return l.stations.byName["n"].hold.guard == nil
					})
					unlockNow(t, k)
				}
			})
		}
	}
	awaitQueue(t, srv, "n", 3)
	unlockNow(t, first)
	wg.Wait()
	if got, handovers := sent.watches.Load(), sent.exchanges.Load(); handovers < 8 || got > 10 {
		t.Errorf("%d watches in %d handovers", got, handovers)
	}
}

// Behind somebody who names nobody, a process does not rely on being named.
func TestNeighbours_Unnamed(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var sent counted
	var wg sync.WaitGroup
	const rounds = 50
	first := lockNow(t, lockerOn(t, srv, nil, nil, nil), "n") // until all are there
	for range 2 {
		l := lockerOn(t, srv, &Options{MaxTurns: 1}, sent.intercept, nil)
		for range 2 {
			wg.Go(func() {
				for range rounds {
					unlockNow(t, lockNow(t, l, "n"))
				}
			})
		}
	}
	other := lockerOn(t, srv, nil, nil, nil)
	wg.Go(func() {
		for range rounds {
			k, err := other.LockWithTTL(t.Context(), time.Minute, "n")
			if err != nil {
				t.Error(err)
				return
			}
			unlockNow(t, k)
		}
	})
	awaitQueue(t, srv, "n", 4)
	unlockNow(t, first)
	wg.Wait()
	t.Logf("%d checks in %d handovers", sent.checks.Load(), sent.exchanges.Load())
	if got, handovers := sent.checks.Load(), sent.exchanges.Load(); handovers < rounds || got > handovers/10 {
		t.Errorf("%d checks in %d handovers", got, handovers)
	}
}
