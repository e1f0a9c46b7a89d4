package lock_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
)

// Calls that cannot succeed say so with their error, before anything is sent.
func TestLockCalls_RefusedWithoutIO(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	var net interceptor
	cli := net.client(t, f.Endpoints)
	l := f.LockerOn(cli, nil)
	raw := f.LockerOn(cli, &etcdlock.Options{RawNames: true})
	over, cancel := context.WithCancelCause(ctx)
	why := errors.New("shutting down")
	cancel(why)
	late, stop := context.WithDeadline(ctx, time.Now().Add(-time.Second))
	defer stop()
	sent := net.count.Load() // the client itself may have said hello

	type call = func() (*etcdlock.Lock, error)
	lock := func(ctx context.Context, names ...string) call {
		return func() (*etcdlock.Lock, error) { return l.Lock(ctx, names...) }
	}
	term := func(d time.Duration) call {
		return func() (*etcdlock.Lock, error) { return l.LockWithTTL(ctx, d, "n") }
	}
	for name, c := range map[string]struct {
		call call
		want []error
	}{
		"nil context":        {lock(nil, "n"), []error{etcdlock.ErrInvalid}},
		"no names":           {lock(ctx), []error{etcdlock.ErrInvalid}},
		"empty name":         {lock(ctx, "a", ""), []error{etcdlock.ErrInvalid}},
		"name twice":         {lock(ctx, "a", "b", "a"), []error{etcdlock.ErrInvalid}},
		"invalid UTF-8":      {lock(ctx, "a\xff"), []error{etcdlock.ErrInvalid}},
		"huge name":          {lock(ctx, strings.Repeat("n", 1<<20)), []error{etcdlock.ErrInvalid}},
		"cancelled":          {lock(over, "n"), []error{context.Canceled, why}},
		"deadline passed":    {lock(late, "n"), []error{etcdlock.ErrTimeout, context.DeadlineExceeded}},
		"cancelled try":      {func() (*etcdlock.Lock, error) { return l.TryLock(over, "n") }, []error{context.Canceled, why}},
		"no term":            {term(0), []error{etcdlock.ErrInvalid}},
		"short term":         {term(time.Second), []error{etcdlock.ErrInvalid}},
		"fraction too short": {term(1999 * time.Millisecond), []error{etcdlock.ErrInvalid}},
		"negative term":      {term(-5 * time.Second), []error{etcdlock.ErrInvalid}},
		"nil function":       {func() (*etcdlock.Lock, error) { return nil, l.Do(ctx, "n", nil) }, []error{etcdlock.ErrInvalid}},
		"list of raw names": {func() (*etcdlock.Lock, error) {
			_, err := raw.List(ctx)
			return nil, err
		}, []error{etcdlock.ErrUnsupported}},
	} {
		k, err := c.call()
		if k != nil {
			t.Errorf("%s: a lock", name)
		}
		for _, want := range c.want {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
	}
	if n := net.count.Load() - sent; n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// A wait that its deadline ends, with somebody else holding the lock.
func TestLockCalls_Timeout(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(nil)
	held := locks.MustLock(ctx, t, l, "n")
	other := f.Locker(nil)
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, other, "warm"))
	for name, l := range map[string]*etcdlock.Locker{"same process": l, "another process": other} {
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		_, err := l.Lock(short, "n")
		cancel()
		if !errors.Is(err, etcdlock.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, etcdlock.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.AwaitQueue(ctx, "n", 1)
	locks.MustUnlock(ctx, t, held)
}

// The hold's context keeps the caller's values and nothing else of it.
func TestLockCalls_Context(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	l := locks.NewFleet(t, embedded.EtcdEndpoints(t)).Locker(nil)
	type key struct{}
	caller, cancel := context.WithTimeout(context.WithValue(ctx, key{}, "v"), 20*time.Second)
	k := locks.MustLock(caller, t, l, "n")
	cancel()
	held := k.Context()
	if held.Value(key{}) != "v" {
		t.Error("the caller's values are gone")
	}
	if _, ok := held.Deadline(); ok || held.Err() != nil {
		t.Error("the hold's context has the caller's deadline or cancellation")
	}
	locks.MustUnlock(ctx, t, k)
	if !errors.Is(held.Err(), context.Canceled) {
		t.Error("the hold's context goes on after Unlock")
	}
	locks.MustUnlock(ctx, t, k) // the second call returns what the first returned
}

func TestLockCalls_Do(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(&etcdlock.Options{Linger: etcdlock.NoLinger})
	why, own := errors.New("the caller went home"), errors.New("the work failed")

	caller, cancel := context.WithCancelCause(ctx)
	err := l.Do(caller, "n", func(ctx context.Context) error {
		cancel(why)
		check.Await(check.Bounded(t, 30*time.Second), t, ctx.Done(), "the work's context to end with the caller's")
		if !errors.Is(context.Cause(ctx), why) {
			t.Errorf("the work's context ended with %v", context.Cause(ctx))
		}
		f.AwaitQueue(check.Bounded(t, 30*time.Second), "n", 1) // held until the work has returned
		return own
	})
	if !errors.Is(err, own) {
		t.Errorf("Do: %v", err)
	}
	f.AwaitQueue(ctx, "n", 0)

	deadline, stop := context.WithTimeout(ctx, time.Hour)
	defer stop()
	err = l.Do(deadline, "n", func(ctx context.Context) error {
		want, _ := deadline.Deadline()
		if got, ok := ctx.Deadline(); !ok || !got.Equal(want) {
			t.Errorf("the work's deadline is %v, want the caller's, %v", got, want)
		}
		_, err := f.Cli.Delete(ctx, f.AwaitQueue(ctx, "n", 1)[0])
		return err
	})
	if !errors.Is(err, etcdlock.ErrLost) {
		t.Errorf("Do that lost the lock: %v", err)
	}

	func() {
		defer func() {
			if recover() != "broken" {
				t.Error("the panic is gone")
			}
		}()
		_ = l.Do(ctx, "n", func(context.Context) error { panic("broken") })
	}()
	f.AwaitQueue(ctx, "n", 0)
}

// Holders tells the queue in order, with the owners' data.
func TestLockCalls_Holders(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	before := time.Now().Add(-time.Second)
	first, second := f.Locker(&etcdlock.Options{Service: "one"}), f.Locker(&etcdlock.Options{Service: "two"})
	if holders, err := first.Holders(ctx, "n/1"); err != nil || len(holders) != 0 {
		t.Errorf("holders of a free lock: %v, %v", holders, err)
	}
	held := locks.MustLock(ctx, t, first, "n/1")
	waiter := goLock(func() (*etcdlock.Lock, error) { return second.Lock(ctx, "n/1") })
	f.AwaitQueue(ctx, "n/1", 2)
	holders, err := second.Holders(ctx, "n/1")
	if err != nil || len(holders) != 2 {
		t.Fatalf("holders: %v, %v", holders, err)
	}
	host, _ := os.Hostname()
	for i, h := range holders {
		if h.Name != "n/1" || h.Host != host || h.PID != os.Getpid() || h.Waiting != (i == 1) {
			t.Errorf("holder %d: %+v", i, h)
		}
		if h.Since.Before(before) || h.Since.After(time.Now().Add(time.Second)) {
			t.Errorf("holder %d since %v", i, h.Since)
		}
	}
	if holders[0].Service != "one" || holders[1].Service != "two" {
		t.Errorf("services: %v", holders)
	}
	if holders[0].Revision != held.Token() {
		t.Errorf("revision %d, token %d", holders[0].Revision, held.Token())
	}
	listed, err := first.List(ctx)
	if err != nil || len(listed) != 2 || listed[0] != holders[0] || listed[1] != holders[1] {
		t.Errorf("listed %+v, %v, want %+v", listed, err, holders)
	}
	locks.MustUnlock(ctx, t, held)
	k, err := waiter.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, k)
}

func TestLock_Bind(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(nil)
	k, err := l.Lock(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	type key struct{}
	cause := errors.New("enough")
	caller, cancel := context.WithCancelCause(context.WithValue(ctx, key{}, "value"))
	work, done := k.Bind(caller)
	defer done()
	if work.Value(key{}) != "value" {
		t.Error("the values of the context are gone")
	}
	nested, err := l.TryLock(work, "a")
	if err != nil {
		t.Fatalf("the bound context does not carry the hold: %v", err)
	}
	if err := nested.Unlock(ctx); err != nil {
		t.Fatal(err)
	}
	cancel(cause)
	if work.Err() == nil || !errors.Is(context.Cause(work), cause) {
		t.Errorf("the caller's cancellation did not come at once: %v", context.Cause(work))
	}

	// What is held under the context in addition stays held.
	b, err := l.Lock(k.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	both, done := k.Bind(b.Context())
	defer done()
	again, err := l.TryLock(both, "a", "b")
	if err != nil {
		t.Fatalf("binding hid a hold: %v", err)
	}
	if err := errors.Join(again.Unlock(ctx), b.Unlock(ctx), k.Unlock(ctx)); err != nil {
		t.Fatal(err)
	}
	<-both.Done()
}
