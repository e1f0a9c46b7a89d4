package lock_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

// Whatever a path looks like, a lock of another library on it and a Locker's exclude each
// other, with a namespace and without one.
func TestLockInterop_Paths(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 2*time.Minute)
	f := locks.NewFleet(t, embedded.OwnEtcd(t).Endpoints())
	raw := f.Locker(&etcdlock.Options{RawNames: true})
	spaced := f.Locker(&etcdlock.Options{Namespace: "/locks/"})
	for _, c := range []struct {
		l          *etcdlock.Locker
		path, name string
	}{
		{raw, "orders", "orders"},
		{raw, "/lock", "/lock"},
		{raw, "/locks/orders", "/locks/orders"},
		{raw, "locks/orders/", "locks/orders/"},
		{raw, "//", "//"},
		{raw, "order import", "order import"},
		{raw, "Auftrag-ä", "Auftrag-ä"},
		{raw, "a#1|b?c=%20\\", "a#1|b?c=%20\\"},
		{raw, "holdfast/order", "holdfast/order"},
		{spaced, "/locks/orders", "orders"},
		{spaced, "/locks/order import", "order import"},
		{spaced, "/locks/Auftrag-ä", "Auftrag-ä"},
		{spaced, "/locks/order#42|eu", "order#42|eu"},
		{spaced, "/locks/eu/orders", "eu/orders"},
		{spaced, "/locks//orders/", "/orders/"},
		{spaced, "/locks/.hidden", ".hidden"},
		{spaced, "/locks/100%", "100%"},
		{f.Locker(&etcdlock.Options{Namespace: "holdfast/"}), "holdfast/github.com/acme/shop.Order", "github.com/acme/shop.Order"},
	} {
		for kind, other := range map[string]foreign{"Mutex": mutex{f.Cli}, "V3Lock": service{f.Cli, 30}} {
			doing := fmt.Sprintf("%s on %q", kind, c.path)
			unlock, err := other.lock(ctx, c.path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.l.TryLock(ctx, c.name); !errors.Is(err, etcdlock.ErrHeld) {
				t.Errorf("%s: TryLock of %q: %v", doing, c.name, err)
			}
			term := goLock(func() (*etcdlock.Lock, error) { return c.l.LockWithTTL(ctx, time.Minute, c.name) })
			locks.AwaitQueue(ctx, t, f.Cli, c.path+"/", 2)
			if holders, err := c.l.Holders(ctx, c.name); err != nil || len(holders) != 2 || holders[0].Host != "" || !holders[1].Waiting {
				t.Errorf("%s: holders %v, %v", doing, holders, err)
			}
			if err := unlock(); err != nil {
				t.Fatal(err)
			}
			k, err := term.wait(ctx, t)
			if err != nil {
				t.Fatal(err)
			}
			theirs := make(chan error, 1)
			go func() {
				unlock, err := other.lock(ctx, c.path)
				if err == nil {
					err = unlock()
				}
				theirs <- err
			}()
			locks.AwaitQueue(ctx, t, f.Cli, c.path+"/", 2)
			locks.MustUnlock(ctx, t, k)
			if err := <-theirs; err != nil {
				t.Errorf("%s, after ours: %v", doing, err)
			}
		}
	}
}

// Locks of names that continue a name do not count in its queue, and do not hide who does.
func TestLock_LongerNames(t *testing.T) {
	t.Parallel()
	endpoints := embedded.EtcdEndpoints(t)
	for kind, opts := range map[string]*etcdlock.Options{"Namespace": {}, "RawNames": {RawNames: true}} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, time.Minute)
			f := locks.NewFleet(t, endpoints)
			one, two, below := f.Locker(opts), f.Locker(opts), f.Locker(opts)
			name := servers.UniqueName("/name-")
			session, err := concurrency.NewSession(f.Cli)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { session.Close() })
			mine := concurrency.NewMutex(session, one.Path(name)+"mutex")
			if err := mine.Lock(ctx); err != nil {
				t.Fatal(err)
			}
			longer := locks.MustLock(ctx, t, below, name+"/a", name+"/z/z", name+"//")

			k := mustTry(ctx, t, one, name)
			if _, err := two.TryLock(ctx, name); !errors.Is(err, etcdlock.ErrHeld) {
				t.Errorf("TryLock: %v", err)
			}
			holders, err := two.Holders(ctx, name)
			if err != nil || len(holders) != 1 || holders[0].Revision != k.Token() {
				t.Errorf("holders %v, %v", holders, err)
			}
			others, err := two.Holders(ctx, name+"/a")
			if err != nil || len(others) != 1 {
				t.Fatalf("holders of the longer name: %v, %v", others, err)
			}
			wrong := others[0]
			wrong.Name = name
			if err := two.Evict(ctx, wrong); !errors.Is(err, etcdlock.ErrInvalid) {
				t.Errorf("Evict of a place in the queue of a longer name: %v", err)
			}
			locks.MustUnlock(ctx, t, k)
			locks.MustUnlock(ctx, t, mustTry(ctx, t, two, name)) // the hold may linger: it makes way

			term, err := one.LockWithTTL(ctx, time.Minute, name)
			if err != nil {
				t.Fatal(err)
			}
			// Each stands in the queue, and a key of a longer name is the last after each.
			var waits []*attempt
			for i := range 5 {
				l := f.Locker(opts)
				waits = append(waits, goLock(func() (*etcdlock.Lock, error) { return l.Lock(ctx, name) }))
				awaitHolders(ctx, t, two, name, i+2)
				last := locks.MustLock(ctx, t, below, fmt.Sprintf("%s/b%d", name, i))
				defer func() { locks.MustUnlock(ctx, t, last) }()
			}
			locks.MustUnlock(ctx, t, term)
			token := term.Token()
			for i, w := range waits {
				k, err := w.wait(ctx, t)
				if err != nil {
					t.Fatal(err)
				}
				if k.Token() <= token {
					t.Errorf("waiter %d has token %d after %d", i, k.Token(), token)
				}
				token = k.Token()
				for _, later := range waits[i+1:] {
					select {
					case <-later.done:
						t.Errorf("one behind waiter %d has the lock too", i)
					default:
					}
				}
				locks.MustUnlock(ctx, t, k)
			}
			locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, one, name, name+"/c", name+"/c/d"))
			locks.MustUnlock(ctx, t, mustTry(ctx, t, two, name, name+"/c", name+"/c/d"))
			evicted := locks.MustLock(ctx, t, one, name)
			if holders, err = two.Holders(ctx, name); err != nil || len(holders) != 1 {
				t.Fatalf("holders %v, %v", holders, err)
			}
			if err := two.Evict(ctx, holders[0]); err != nil {
				t.Error(err)
			}
			wantLost(ctx, t, evicted)
			locks.MustUnlock(ctx, t, longer)
			if err := mine.Unlock(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// awaitHolders waits until n stand in the queue of the name.
func awaitHolders(ctx context.Context, t *testing.T, l *etcdlock.Locker, name string, n int) {
	t.Helper()
	for holders, err := range l.Watch(ctx, name) {
		if err != nil {
			t.Fatal(err)
		}
		if len(holders) == n {
			return
		}
	}
}

// Names of which one continues the other are locked and tried in all ways at the same time:
// no two are ever in the same one.
func TestLock_LongerNamesMixture(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 2*time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	names := []string{"p", "p/0", "p/0/f"}
	var rooms [3]room
	var wg sync.WaitGroup
	rounds := scale.Full(200)
	for range 3 {
		l := f.Locker(&etcdlock.Options{MaxTurns: 2})
		for n, name := range names {
			for way := range 3 {
				wg.Go(func() {
					for i := range rounds {
						var k *etcdlock.Lock
						var err error
						switch {
						case way == 0:
							k, err = l.TryLock(ctx, name)
						case way == 1 && i%10 == 0:
							k, err = l.LockWithTTL(ctx, time.Minute, name)
						default:
							k, err = l.Lock(ctx, name)
						}
						if errors.Is(err, etcdlock.ErrHeld) {
							continue
						}
						if err == nil {
							rooms[n].visit(func() {})
							err = k.Unlock(ctx)
						}
						if err != nil {
							t.Errorf("%q: %v", name, err)
							return
						}
					}
				})
			}
		}
	}
	wg.Wait()
	for n, name := range names {
		if rooms[n].overlaps.Load() > 0 {
			t.Errorf("%d times two were in %q", rooms[n].overlaps.Load(), name)
		}
		t.Logf("%q: %d visits", name, rooms[n].visits.Load())
	}
}
