package lock_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/children"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
)

// Every message of a life that has all the rest in it is lost, the first of each
// kind and then one after the other: holds that linger and are handed on, several
// names, fixed terms.
// Whatever was lost, the queues are empty afterwards and the next contender
// gets the locks.
func TestLockLeaks_EveryMessage(t *testing.T) {
	t.Parallel()
	loseEachMessage(t, 2, sharedLife)
}

// sharedLife lets a client with the fault share its holds in all ways.
func sharedLife(t *testing.T, site faultSite, fault *oneFault) {
	t.Helper()
	ctx := check.Bounded(t, time.Minute)
	f := site.fleet(t)
	// Nothing runs out, however slow the machine is.
	opts := &etcdlock.Options{TTL: time.Hour, Linger: time.Hour, MaxTurns: 2, RequestTimeout: 30 * time.Second}
	l, other := f.LockerOn(site.client(t, fault.hook), opts), f.LockerOn(site.client(t, nil), opts)
	lock := func(names ...string) *etcdlock.Lock {
		t.Helper()
		k, err := l.Lock(ctx, names...)
		if err != nil {
			t.Fatalf("Lock(%q) after a lost %s: %v", names, fault.hitStep(), err)
		}
		return k
	}

	// It lingers, until the other wants the name.
	locks.MustUnlock(ctx, t, lock("n"))
	locks.MustUnlock(ctx, t, lock("n"))
	held := locks.MustLock(ctx, t, other, "n")
	// Two goroutines wait, the first gives up, a third gets the hold handed on.
	short, cancel := context.WithCancel(ctx)
	defer cancel()
	first := goLock(func() (*etcdlock.Lock, error) { return l.Lock(short, "n") })
	f.AwaitQueue(ctx, "n", 2)
	second := goLock(func() (*etcdlock.Lock, error) { return l.Lock(ctx, "n") })
	cancel()
	if _, err := first.wait(ctx, t); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait given up after a lost %s: %v", fault.hitStep(), err)
	}
	locks.MustUnlock(ctx, t, held)
	k, err := second.wait(ctx, t)
	if err != nil {
		t.Fatalf("Lock after a lost %s: %v", fault.hitStep(), err)
	}
	third := goLock(func() (*etcdlock.Lock, error) { return l.Lock(ctx, "n") })
	locks.MustUnlock(ctx, t, k)
	if k, err = third.wait(ctx, t); err != nil {
		t.Fatalf("Lock after a lost %s: %v", fault.hitStep(), err)
	}
	locks.MustUnlock(ctx, t, k)
	exchange(ctx, t, f, l, other, fault)
	// Several names, one of which the other has.
	held = locks.MustLock(ctx, t, other, "b")
	short, cancel = context.WithCancel(ctx)
	defer cancel()
	first = goLock(func() (*etcdlock.Lock, error) { return l.Lock(short, "c", "b", "a") })
	f.AwaitQueue(ctx, "b", 2)
	cancel()
	if _, err := first.wait(ctx, t); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait for several names given up after a lost %s: %v", fault.hitStep(), err)
	}
	f.AwaitQueue(ctx, "b", 1)
	locks.MustUnlock(ctx, t, held)
	locks.MustUnlock(ctx, t, lock("a", "b", "c"))
	if k, err := l.TryLock(ctx, "x", "y"); err == nil {
		locks.MustUnlock(ctx, t, k)
	} else if !errors.Is(err, etcdlock.ErrUnavailable) {
		t.Errorf("TryLock after a lost %s: %v", fault.hitStep(), err)
	}
	// A fixed term behind what lingers.
	locks.MustUnlock(ctx, t, lock("n"))
	if k, err = l.LockWithTTL(ctx, time.Minute, "n", "term"); err != nil {
		t.Fatalf("LockWithTTL after a lost %s: %v", fault.hitStep(), err)
	}
	locks.MustUnlock(ctx, t, k)
	f.AwaitQueue(ctx, "term", 0)
	// All that lingers leaves for the other.
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, other, "a", "b", "c", "n", "term", "x", "y"))
	if err := l.Close(ctx); err != nil {
		t.Errorf("Close after a lost %s: %v", fault.hitStep(), err)
	}
	if err := other.Close(ctx); err != nil {
		t.Errorf("the other's Close after a lost %s: %v", fault.hitStep(), err)
	}
	f.AwaitQueue(ctx, "", 0)
}

// runGuest is the child program "guest": it takes the lock n, gives it back if
// told to, and stays until it is killed. It says when it begins and when it
// has come to rest.
func runGuest(args []string) error {
	endpoints, namespace, linger, unlock := args[0], args[1], args[2], args[3] == "true"
	ctx := context.Background()
	client, err := clientv3.New(clientv3.Config{Endpoints: strings.Split(endpoints, ","), Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(linger)
	if err != nil {
		return err
	}
	l, err := etcdlock.New(client, &etcdlock.Options{Namespace: namespace, Linger: d, TTL: 2 * time.Second})
	if err != nil {
		return err
	}
	k, err := l.Lock(ctx, "n")
	if err != nil {
		return err
	}
	if unlock {
		if err := k.Unlock(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintln(os.Stdout, "rests")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// A process that is killed while it holds, lingers or waits leaves nothing
// behind when its lease has run out, and keeps nobody longer than that.
func TestLockLeaks_KilledProcess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ waits, unlocks bool }{
		"Holding": {}, "Lingering": {unlocks: true}, "Waiting": {waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, time.Minute)
			f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
			l := f.Locker(nil)
			var held *etcdlock.Lock
			if c.waits {
				held = locks.MustLock(ctx, t, l, "n")
			}
			cmd := children.Command(ctx, t, "guest", strings.Join(f.Endpoints, ","), f.Namespace, "1h", strconv.FormatBool(c.unlocks))
			cmd.Stderr = os.Stderr
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if c.waits {
				f.AwaitQueue(ctx, "n", 2)
			} else if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // says that it was killed
			if c.waits {
				next := f.Locker(nil)
				behind := goLock(func() (*etcdlock.Lock, error) { return next.Lock(ctx, "n") })
				f.AwaitQueue(ctx, "n", 3) // the dead one is still in line
				locks.MustUnlock(ctx, t, held)
				if held, err = behind.wait(ctx, t); err != nil {
					t.Fatal(err)
				}
			} else {
				held = locks.MustLock(ctx, t, l, "n")
			}
			f.AwaitQueue(ctx, "n", 1)
			locks.MustUnlock(ctx, t, held)
		})
	}
}
