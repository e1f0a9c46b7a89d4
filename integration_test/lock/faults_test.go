package lock_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
)

// messageKinds are the kinds of messages in the life of a Locker, as step names them.
var messageKinds = []string{"LeaseGrant", "Put", "Range", "Enqueue", "Snapshot", "Check", "Watch", "Exchange", "Release", "LeaseRevoke"}

// oneFault loses the request, or only its answer, of one call out of all, and
// remembers which step of the protocol it hit.
type oneFault struct {
	answer bool // lose the answer only

	mu   sync.Mutex
	left int // calls until the fault; counts only those of step, if that is set
	step string
	hit  string

	exchanges int // so far
}

func (o *oneFault) hook(_ context.Context, method string, req any, call func() error) error {
	o.mu.Lock()
	what := step(method, req)
	hit := false
	if what == "Exchange" {
		o.exchanges++
	}
	if o.step == "" || o.step == what {
		hit = o.left == 0
		o.left--
	}
	if hit {
		o.hit = what
	}
	o.mu.Unlock()
	if !hit {
		return call()
	}
	if o.answer {
		if err := call(); err != nil {
			return err
		}
	}
	return etcdtest.ErrReplyLost
}

func (o *oneFault) hitStep() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.hit
}

func (o *oneFault) exchanged() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.exchanges
}

func (o *oneFault) String() string {
	if o.answer {
		return "Answer"
	}
	return "Request"
}

// A message of a client's life is lost: the first of each kind, then the first
// of all, the second, and so on, until a life has no more of them. It is the
// request or only its answer. Whatever was lost, the queue is empty afterwards
// and the next contender gets the lock.
func TestLockFaults_EveryMessage(t *testing.T) {
	t.Parallel()
	loseEachMessage(t, 3, liveWith) // two lives differ by a message or two
}

// loseEachMessage lets clients live until so many lives had no message left to lose.
func loseEachMessage(t *testing.T, lives int, live func(t *testing.T, site faultSite, fault *oneFault)) {
	t.Helper()
	for _, site := range faultSites(t) {
		for _, answer := range []bool{false, true} {
			t.Run(site.name+(&oneFault{answer: answer}).String(), func(t *testing.T) {
				t.Parallel()
				for _, what := range messageKinds {
					fault := &oneFault{answer: answer, step: what}
					t.Run(what, func(t *testing.T) {
						live(t, site, fault)
						if fault.hitStep() == "" {
							t.Error("nothing was lost: the test proves nothing")
						}
					})
				}
				hit := map[string]int{}
				for at, untouched := 0, 0; untouched < lives; at++ {
					fault := &oneFault{answer: answer, left: at}
					t.Run(strconv.Itoa(at), func(t *testing.T) {
						live(t, site, fault)
					})
					if what := fault.hitStep(); what != "" {
						hit[what]++
					} else {
						untouched++
					}
				}
				t.Log(hit)
			})
		}
	}
}

// liveWith lets a client with the fault do everything that Lockers do.
func liveWith(t *testing.T, site faultSite, fault *oneFault) {
	t.Helper()
	ctx := check.Bounded(t, time.Minute)
	f := site.fleet(t)
	// Without lingering every Unlock sends a message that can be lost. Nothing
	// runs out, however slow the machine is.
	opts := &etcdlock.Options{TTL: time.Hour, Linger: etcdlock.NoLinger, MaxTurns: 1, RequestTimeout: 30 * time.Second}
	l, other := f.LockerOn(site.client(t, fault.hook), opts), f.LockerOn(site.client(t, nil), opts)

	held := locks.MustLock(ctx, t, other, "n")
	waiter := goLock(func() (*etcdlock.Lock, error) { return l.Lock(ctx, "n") })
	f.AwaitQueue(ctx, "n", 2)
	locks.MustUnlock(ctx, t, held)
	k, err := waiter.wait(ctx, t)
	if err != nil {
		t.Fatalf("Lock after a lost %s: %v", fault.hitStep(), err)
	}
	locks.MustUnlock(ctx, t, k)

	held = locks.MustLock(ctx, t, other, "n")
	fixed := goLock(func() (*etcdlock.Lock, error) { return l.LockWithTTL(ctx, 10*time.Second, "n") })
	f.AwaitQueue(ctx, "n", 2)
	locks.MustUnlock(ctx, t, held)
	if k, err = fixed.wait(ctx, t); err != nil {
		t.Fatalf("LockWithTTL after a lost %s: %v", fault.hitStep(), err)
	}
	locks.MustUnlock(ctx, t, k)

	held = locks.MustLock(ctx, t, other, "n")
	if _, err := l.TryLock(ctx, "n"); !errors.Is(err, etcdlock.ErrHeld) && !errors.Is(err, etcdlock.ErrUnavailable) {
		t.Errorf("TryLock of a busy name after a lost %s: %v", fault.hitStep(), err)
	}
	short, cancel := context.WithCancel(ctx)
	waiter = goLock(func() (*etcdlock.Lock, error) { return l.Lock(short, "n") })
	f.AwaitQueue(ctx, "n", 2)
	cancel()
	if _, err := waiter.wait(ctx, t); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait given up after a lost %s: %v", fault.hitStep(), err)
	}
	f.AwaitQueue(ctx, "n", 1)
	locks.MustUnlock(ctx, t, held)
	f.AwaitQueue(ctx, "n", 0) // one that others waited for goes in the background

	if k, err := l.TryLock(ctx, "n"); err == nil {
		locks.MustUnlock(ctx, t, k)
	} else if !errors.Is(err, etcdlock.ErrUnavailable) {
		t.Errorf("TryLock after a lost %s: %v", fault.hitStep(), err)
	}
	f.AwaitQueue(ctx, "n", 0)
	if fault.step != "" { // else each life would have another number of messages
		exchange(ctx, t, f, l, other, fault)
		f.AwaitQueue(ctx, "n", 0)
	}
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, other, "n"))
	// The revocation is the last that is asked for.
	if err := l.Close(ctx); err != nil {
		t.Errorf("Close after a lost %s: %v", fault.hitStep(), err)
	}
}

// exchange lets two goroutines take the name again and again while the other wants it, until
// the client with the fault has sent an exchange.
func exchange(ctx context.Context, t *testing.T, f *locks.Fleet, l, other *etcdlock.Locker, fault *oneFault) {
	t.Helper()
	for before := fault.exchanged(); fault.exchanged() == before; {
		held := locks.MustLock(ctx, t, l, "n")
		behind := goLock(func() (*etcdlock.Lock, error) { return other.Lock(ctx, "n") })
		f.AwaitQueue(ctx, "n", 2)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for served := false; !served; {
					k, err := l.Lock(ctx, "n")
					if err == nil {
						err = k.Unlock(ctx)
					}
					if err != nil {
						t.Errorf("after a lost %s: %v", fault.hitStep(), err)
						return
					}
					select {
					case <-behind.done:
						served = true
					default:
					}
				}
			})
		}
		locks.MustUnlock(ctx, t, held)
		k, err := behind.wait(ctx, t)
		if err != nil {
			t.Fatalf("the other's Lock after a lost %s: %v", fault.hitStep(), err)
		}
		locks.MustUnlock(ctx, t, k)
		wg.Wait()
	}
}

// A keepalive that is lost is made up for before the lease ends.
func TestLockFaults_KeepAlive(t *testing.T) {
	t.Parallel()
	for _, site := range faultSites(t) {
		for _, answer := range []bool{false, true} {
			fault := &oneFault{answer: answer, step: "LeaseKeepAlive"}
			t.Run(site.name+fault.String(), func(t *testing.T) {
				t.Parallel()
				ctx := check.Bounded(t, 30*time.Second)
				f := site.fleet(t)
				renewed := make(chan struct{}, 1)
				l := f.LockerOn(site.client(t, func(ctx context.Context, method string, req any, call func() error) error {
					err := fault.hook(ctx, method, req, call)
					if method == "LeaseKeepAlive" && err == nil {
						select {
						case renewed <- struct{}{}:
						default:
						}
					}
					return err
				}), &etcdlock.Options{TTL: 2 * time.Second})
				k := locks.MustLock(ctx, t, l, "n")
				check.Await(ctx, t, renewed, "a keepalive after the lost one")
				if fault.hitStep() == "" {
					t.Error("no keepalive was lost: the test proves nothing")
				}
				if err := k.Context().Err(); err != nil {
					t.Errorf("the hold ended: %v", context.Cause(k.Context()))
				}
				locks.MustUnlock(ctx, t, k)
				f.AwaitQueue(ctx, "n", 0)
			})
		}
	}
}

// Who gives up because no enqueueing is answered abandons the key, even when
// that is not answered at first either.
func TestLockFaults_Abandon(t *testing.T) {
	t.Parallel()
	for _, site := range faultSites(t) {
		for _, answer := range []bool{false, true} {
			fault := &oneFault{answer: answer, step: "DeleteRange"}
			t.Run(site.name+fault.String(), func(t *testing.T) {
				t.Parallel()
				ctx := check.Bounded(t, 30*time.Second)
				f := site.fleet(t)
				other := f.LockerOn(site.client(t, nil), nil)
				short, cancel := context.WithCancel(ctx)
				defer cancel()
				l := f.LockerOn(site.client(t, func(ctx context.Context, method string, req any, call func() error) error {
					if step(method, req) != "Enqueue" {
						return fault.hook(ctx, method, req, call)
					}
					if err := call(); err != nil {
						return err
					}
					cancel()
					return etcdtest.ErrReplyLost
				}), nil)
				held := locks.MustLock(ctx, t, other, "n")
				if _, err := l.Lock(short, "n"); !errors.Is(err, context.Canceled) {
					t.Errorf("Lock: %v", err)
				}
				f.AwaitQueue(ctx, "n", 1)
				locks.MustUnlock(ctx, t, held)
				locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, other, "n"))
				if fault.hitStep() == "" {
					t.Error("no delete was lost: the test proves nothing")
				}
			})
		}
	}
}

// keepBack keeps the first enqueueing back, answering that it failed, for the
// test to send it later.
type keepBack struct {
	meanwhile func() // called when it is kept back; nil does nothing
	once      sync.Once
	req       any
}

func (k *keepBack) hook(_ context.Context, method string, req any, call func() error) error {
	kept := false
	if step(method, req) == "Enqueue" {
		k.once.Do(func() { k.req, kept = req, true })
	}
	if !kept {
		return call()
	}
	if k.meanwhile != nil {
		k.meanwhile()
	}
	return etcdtest.ErrReplyLost
}

// A first sending of the enqueueing that arrives after the second one was
// answered, and all was over, puts a key that nobody wants. It goes at once: the
// lease, and what else could take it along, is too far away for the next in line.
func TestLockFaults_LateRepetition(t *testing.T) {
	t.Parallel()
	for _, site := range faultSites(t) {
		t.Run(site.name+"Released", func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, 30*time.Second)
			f := site.fleet(t)
			var net keepBack
			l := f.LockerOn(site.client(t, net.hook), nil)
			locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "n"))
			net.landsAndGoes(ctx, t, f, f.LockerOn(site.client(t, nil), nil))
		})
		t.Run(site.name+"TryLockRefused", func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, 30*time.Second)
			f := site.fleet(t)
			other := f.LockerOn(site.client(t, nil), nil)
			var held *etcdlock.Lock
			var err error
			net := keepBack{meanwhile: func() { held, err = other.Lock(ctx, "n") }}
			l := f.LockerOn(site.client(t, net.hook), nil)
			if _, err := l.TryLock(ctx, "n"); !errors.Is(err, etcdlock.ErrHeld) {
				t.Fatalf("TryLock: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			locks.MustUnlock(ctx, t, held)
			net.landsAndGoes(ctx, t, f, other)
		})
	}
}

func (k *keepBack) landsAndGoes(ctx context.Context, t *testing.T, f *locks.Fleet, next *etcdlock.Locker) {
	t.Helper()
	if k.req == nil {
		t.Fatal("no enqueueing was kept back: the test proves nothing")
	}
	f.AwaitQueue(ctx, "n", 0) // nothing is in its way any more, nor looks like it
	if err := resend(ctx, f.Cli, k.req); err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, next, "n"))
	f.AwaitQueue(ctx, "n", 0)
}
