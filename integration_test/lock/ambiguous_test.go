package lock_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
)

// step tells the requests of the lock protocol apart, and others by their method.
func step(method string, req any) string { return cmp.Or(etcdtest.Step(req), method) }

// dropReplies lets the given step's requests through, n times with the reply
// lost afterwards, and counts how often it did.
func (i *interceptor) dropReplies(what string, n int64) (dropped func() int64) {
	var count, left int64 = 0, n
	lock := make(chan struct{}, 1)
	i.set(func(_ context.Context, method string, req any, call func() error) error {
		err := call()
		lock <- struct{}{}
		defer func() { <-lock }()
		if step(method, req) != what || left == 0 || err != nil {
			return err
		}
		left--
		count++
		return etcdtest.ErrReplyLost
	})
	return func() int64 {
		lock <- struct{}{}
		defer func() { <-lock }()
		return count
	}
}

// Whatever reply is lost, once or several times in a row: the lock is taken
// and given back all the same, and nothing stays in the queue.
func TestLockLostReply(t *testing.T) {
	t.Parallel()
	for _, what := range messageKinds {
		switch what {
		case "Range", "Watch": // repeated by the watch itself
			continue
		case "Exchange": // see TestLockExchange_LostMessages
			continue
		}
		for _, times := range []int64{1, 3} {
			if what == "LeaseRevoke" && times > 1 {
				continue // the second answer is "no such lease", which settles it
			}
			t.Run(fmt.Sprintf("%s%dTimes", what, times), func(t *testing.T) {
				t.Parallel()
				ctx := check.Bounded(t, time.Minute)
				f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
				var net interceptor
				l := f.LockerOn(net.client(t, f.Endpoints), nil)
				dropped := net.dropReplies(what, times)
				other := f.Locker(nil)

				held := locks.MustLock(ctx, t, other, "n")
				waiter := goLock(func() (*etcdlock.Lock, error) {
					if what == "Check" { // made by those who watch their predecessor alone
						return l.LockWithTTL(ctx, 10*time.Second, "n")
					}
					return l.Lock(ctx, "n")
				})
				f.AwaitQueue(ctx, "n", 2)
				locks.MustUnlock(ctx, t, held)
				k, err := waiter.wait(ctx, t)
				if err != nil {
					t.Fatal(err)
				}
				if token := k.Token(); token <= held.Token() {
					t.Errorf("token %d after %d", token, held.Token())
				}
				locks.MustUnlock(ctx, t, k)
				f.AwaitQueue(ctx, "n", 0)
				locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, other, "n"))
				if err := l.Close(ctx); err != nil {
					t.Error(err)
				}
				if n := dropped(); n != times {
					t.Errorf("%d replies were lost, want %d: the test proves nothing", n, times)
				}
			})
		}
	}
}

// Who gives up while no reply comes leaves nothing behind.
func TestLockLostReply_GivenUp(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"Enqueue", "Snapshot", "Check"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, time.Minute)
			f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
			var net interceptor
			l := f.LockerOn(net.client(t, f.Endpoints), nil)
			other := f.Locker(nil)
			locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "warm"))
			held := locks.MustLock(ctx, t, other, "n")
			dropped := net.dropReplies(what, -1)
			limit := 2 * time.Second
			if what == "Check" { // in which the queue is made up as well
				limit = 8 * time.Second
			}
			short, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			var err error
			if what == "Check" { // of those who watch their predecessor alone, once that has gone
				between, leave := context.WithCancel(ctx)
				first := goLock(func() (*etcdlock.Lock, error) { return f.Locker(nil).Lock(between, "n") })
				f.AwaitQueue(ctx, "n", 2)
				second := goLock(func() (*etcdlock.Lock, error) { return l.LockWithTTL(short, 10*time.Second, "n") })
				f.AwaitQueue(ctx, "n", 3)
				leave()
				if _, err := first.wait(ctx, t); !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				_, err = second.wait(ctx, t)
			} else {
				_, err = l.Lock(short, "n")
			}
			if !errors.Is(err, etcdlock.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Lock: %v", err)
			}
			f.AwaitQueue(ctx, "n", 1)
			locks.MustUnlock(ctx, t, held)
			locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, other, "n"))
			if dropped() == 0 {
				t.Error("no reply was lost: the test proves nothing")
			}
		})
	}
}

// TryLock bounds itself, and leaves nothing behind either.
func TestLockLostReply_TryLock(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	var net interceptor
	l := f.LockerOn(net.client(t, f.Endpoints), &etcdlock.Options{RequestTimeout: time.Second, Linger: etcdlock.NoLinger})
	dropped := net.dropReplies("Enqueue", 1)
	k, err := l.TryLock(ctx, "n")
	if err != nil {
		t.Fatalf("after %d lost replies: %v", dropped(), err)
	}
	locks.MustUnlock(ctx, t, k)
	net.dropReplies("Enqueue", -1)
	if _, err := l.TryLock(ctx, "n"); !errors.Is(err, etcdlock.ErrUnavailable) {
		t.Errorf("TryLock without any reply: %v", err)
	}
	f.AwaitQueue(ctx, "n", 0)
}

// An enqueueing that lands only after its owner has given up and cleaned up is
// swept away, at once: the lease and the last sweep are too far away to let the next in.
func TestLockLateEnqueue(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	var net interceptor
	l := f.LockerOn(net.client(t, f.Endpoints), &etcdlock.Options{TTL: time.Hour})
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "warm"))

	sent, land, landed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var cleaned sync.Once
	net.set(func(ctx context.Context, method string, req any, call func() error) error {
		switch {
		case step(method, req) == "Enqueue":
			go func() { // the network keeps the request for a while
				<-land
				_, err := f.Cli.Txn(context.WithoutCancel(ctx)).Then(toPut(req)).Commit()
				landed <- err
			}()
			close(sent)
			<-ctx.Done()
			return ctx.Err()
		case method == "DeleteRange": // the clean-up has been: now the request lands
			defer cleaned.Do(func() { close(land) })
		}
		return call()
	})
	short, cancel := context.WithCancel(ctx)
	a := goLock(func() (*etcdlock.Lock, error) { return l.Lock(short, "n") })
	check.Await(ctx, t, sent, "the enqueueing")
	cancel()
	if _, err := a.wait(ctx, t); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock: %v", err)
	}
	if err := <-landed; err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, f.Locker(&etcdlock.Options{Linger: etcdlock.NoLinger}), "n"))
	f.AwaitQueue(ctx, "n", 0)
}

// A release whose outcome is not known yet bounds nobody's patience: Unlock
// returns with its context, and the key goes all the same.
func TestLockRelease_GoesOnInTheBackground(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	var net interceptor
	l := f.LockerOn(net.client(t, f.Endpoints), &etcdlock.Options{Linger: etcdlock.NoLinger})
	k := locks.MustLock(ctx, t, l, "n")
	tried, open := make(chan struct{}, 1), make(chan struct{})
	net.set(func(_ context.Context, method string, req any, call func() error) error {
		if step(method, req) == "Release" {
			select {
			case <-open:
			default:
				select {
				case tried <- struct{}{}:
				default:
				}
				return etcdtest.ErrReplyLost // and the request too
			}
		}
		return call()
	})
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := k.Unlock(over); !errors.Is(err, context.Canceled) {
		t.Errorf("Unlock with a context that is over: %v", err)
	}
	if k.Context().Err() == nil {
		t.Error("the hold's context goes on after Unlock")
	}
	<-tried
	close(open)
	if err := k.Unlock(ctx); err != nil {
		t.Errorf("the release: %v", err)
	}
	f.AwaitQueue(ctx, "n", 0)
}
