package etcdlock

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/internal/etcdtest"
	"github.com/holdfast-go/holdfast/internal/memetcd"
)

// Processes that go on wanting a name hand it on with one request a round, and
// watch what they watched before: the whole queue if it is short, else who is before
// them.
func TestRounds(t *testing.T) {
	t.Parallel()
	for name, lockers := range map[string]int{"Short": 3, "Long": 9} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const rounds = 60
			srv := memetcd.New(nil)
			t.Cleanup(srv.Close)
			var sent etcdtest.Counted
			ls, ws := make([]*Locker, lockers), make([]*watches, lockers)
			for i := range ls {
				ws[i] = &watches{}
				ls[i] = lockerOn(t, srv, &Options{MaxTurns: 1}, sent.Intercept, func(cli *clientv3.Client) {
					ws[i].Watcher, cli.Watcher = cli.Watcher, ws[i]
				})
			}
			var inside, last, whole atomic.Int64
			var wg sync.WaitGroup
			first := lockNow(t, lockerOn(t, srv, nil, nil, nil), "n") // until all are there
			for i := range 2 * lockers {                              // two for each, so that one is in line when the other leaves
				l, w := ls[i/2], ws[i/2]
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
						if w.whole.Load() > 0 {
							whole.Add(1)
						}
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
			handovers := sent.Exchanges.Load()
			t.Logf("%d exchanges, %d checks, %d watches, %d with snapshots", handovers, sent.Checks.Load(), sent.Watches.Load(), whole.Load())
			if handovers < int64(lockers)*rounds/2 {
				t.Fatalf("%d exchanges: the queue was not long", handovers)
			}
			if got := sent.Checks.Load(); got > handovers/4 {
				t.Errorf("%d checks", got)
			}
			if got := sent.Watches.Load(); got > handovers/4 {
				t.Errorf("%d watches", got)
			}
			if got := whole.Load(); lockers > 4 && got > handovers/4 {
				t.Errorf("%d holds that look at the whole queue", got)
			}
			for _, w := range ws {
				eventually(t, "the end of the watches of predecessors", func() bool { return w.open.Load() == w.whole.Load() })
			}
		})
	}
}

// Behind somebody who names nobody, a process does not rely on being named.
func TestRounds_Unnamed(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var sent etcdtest.Counted
	var wg sync.WaitGroup
	const rounds = 50
	first := lockNow(t, lockerOn(t, srv, nil, nil, nil), "n") // until all are there
	for range 2 {
		l := lockerOn(t, srv, &Options{MaxTurns: 1}, sent.Intercept, nil)
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
	t.Logf("%d checks in %d handovers", sent.Checks.Load(), sent.Exchanges.Load())
	if got, handovers := sent.Checks.Load(), sent.Exchanges.Load(); handovers < rounds || got > handovers/10 {
		t.Errorf("%d checks in %d handovers", got, handovers)
	}
}
