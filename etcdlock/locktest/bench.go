package locktest

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
)

const (
	defaultPatience = 20 * time.Second

	// aWhile is the deadline of a wait that is meant to time out.
	aWhile = 300 * time.Millisecond
)

// bench is what a case works with.
type bench struct {
	T
	h Harness
}

// newBench checks that the harness can do what its features need, and skips a
// case whose feature is not claimed.
func newBench(t T, h Harness, needs ...string) *bench {
	t.Helper()
	h.Patience = h.patience()
	f := h.Features
	switch {
	case h.New == nil:
		t.Fatalf("locktest: Harness.New is required")
	case f.LossNotice && h.Break == nil:
		t.Fatalf("locktest: Features.LossNotice needs Harness.Break")
	case f.Fair && h.Queue == nil:
		t.Fatalf("locktest: Features.Fair needs Harness.Queue")
	case f.Clean && h.Leftovers == nil:
		t.Fatalf("locktest: Features.Clean needs Harness.Leftovers")
	}
	claimed := map[string]bool{
		"Fair": f.Fair, "LossNotice": f.LossNotice, "Tokens": f.Tokens, "Several": f.Several,
		"Nested": f.Nested, "AnyName": f.AnyName, "Clean": f.Clean,
	}
	for _, feature := range needs {
		if !claimed[feature] {
			t.Skipf("the harness does not claim Features.%s", feature)
		}
	}
	b := &bench{T: t, h: h}
	if f.Clean {
		// Registered first, so it runs when all Lockers are closed.
		t.Cleanup(b.checkLeftovers)
	}
	return b
}

func (b *bench) checkLeftovers() {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), b.h.Patience)
	defer cancel()
	var left []string
	err := b.poll(ctx, func() (bool, error) {
		var err error
		left, err = b.h.Leftovers(ctx)
		return len(left) == 0, err
	})
	if err != nil {
		b.Errorf("closed lockers left behind %q: %v", left, err)
	}
}

// poll asks again and again, because nothing can be waited on through a Harness.
func (b *bench) poll(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// patient is a context for what must succeed.
func (b *bench) patient() context.Context {
	ctx, cancel := context.WithTimeout(b.Context(), b.h.Patience)
	b.Cleanup(cancel)
	return ctx
}

// locker makes a Locker that is closed with the case.
func (b *bench) locker() Locker {
	b.Helper()
	l := b.h.New()
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), b.h.Patience)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			b.Errorf("closing a locker whose locks were all given back: %v", err)
		}
	})
	return l
}

// lock takes names that must be free, or become so.
func (b *bench) lock(l Locker, names ...string) Lock {
	b.Helper()
	return b.lockUnder(b.patient(), l, names...)
}

func (b *bench) lockUnder(ctx context.Context, l Locker, names ...string) Lock {
	b.Helper()
	k, err := l.Lock(ctx, names...)
	if err != nil {
		b.Fatalf("Lock(%q): %v", names, err)
	}
	if k == nil {
		b.Fatalf("Lock(%q) returned neither a lock nor an error", names)
	}
	if err := k.Context().Err(); err != nil {
		b.Fatalf("Lock(%q): the context of the hold is over already: %v", names, context.Cause(k.Context()))
	}
	return k
}

func (b *bench) unlock(k Lock) {
	b.Helper()
	if err := k.Unlock(b.patient()); err != nil {
		b.Fatalf("Unlock: %v", err)
	}
}

// held checks that nobody else can have name now.
func (b *bench) held(l Locker, name string) {
	b.Helper()
	k, err := l.TryLock(b.patient(), name)
	switch {
	case err == nil:
		_ = k.Unlock(b.patient())
		b.Fatalf("TryLock(%q) succeeded while another holds it", name)
	case !errors.Is(err, etcdlock.ErrHeld):
		b.Fatalf("TryLock(%q) while another holds it: %v, want ErrHeld", name, err)
	}
}

// timesOut checks that name cannot be had within a while. What a broken lock does
// wrong meanwhile has then been done.
func (b *bench) timesOut(l Locker, name string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), aWhile)
	defer cancel()
	k, err := l.Lock(ctx, name)
	if err == nil {
		_ = k.Unlock(b.patient())
		b.Fatalf("Lock(%q) succeeded while another holds it", name)
	}
	b.is("a wait with a deadline", err, etcdlock.ErrTimeout, context.DeadlineExceeded)
}

// free checks that name can be taken.
func (b *bench) free(l Locker, name string) {
	b.Helper()
	b.unlock(b.lock(l, name))
}

// warm makes a Locker do what it does once, such as getting a lease, so that a
// short deadline later is about the lock alone.
func (b *bench) warm(ls ...Locker) {
	b.Helper()
	for _, l := range ls {
		b.free(l, "warm-up")
	}
}

// awaitQueue waits until n hold or wait for name. Without a way to look, the
// case goes on at once and tests a little less.
func (b *bench) awaitQueue(name string, n int) {
	b.Helper()
	if b.h.Queue == nil {
		return
	}
	have := 0
	err := b.poll(b.patient(), func() (bool, error) {
		var err error
		have, err = b.h.Queue(b.Context(), name)
		return have == n, err
	})
	if err != nil {
		b.Fatalf("waiting for %d in the queue of %q, there are %d: %v", n, name, have, err)
	}
}

// attempt is a call of Lock that may be waiting.
type attempt struct {
	b      *bench
	names  []string
	cancel context.CancelCauseFunc
	done   chan struct{}
	lock   Lock
	err    error
}

func (b *bench) start(l Locker, names ...string) *attempt {
	return b.startUnder(b.Context(), l, names...)
}

func (b *bench) startUnder(ctx context.Context, l Locker, names ...string) *attempt {
	ctx, cancel := context.WithCancelCause(ctx)
	a := &attempt{b: b, names: names, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		a.lock, a.err = l.Lock(ctx, names...)
	}()
	return a
}

// waits checks that the call has not returned. Call it when it would
// have, were the lock broken.
func (a *attempt) waits() {
	a.b.Helper()
	select {
	case <-a.done:
		a.b.Fatalf("Lock(%q) returned while another holds it: error %v", a.names, a.err)
	default:
	}
}

func (a *attempt) granted() Lock {
	a.b.Helper()
	if err := a.returned(); err != nil {
		a.b.Fatalf("Lock(%q), waiting: %v", a.names, err)
	}
	return a.lock
}

// returned waits for the call and is its error.
func (a *attempt) returned() error {
	a.b.Helper()
	t := time.NewTimer(a.b.h.Patience)
	defer t.Stop()
	select {
	case <-a.done:
	case <-t.C:
		a.b.Fatalf("Lock(%q) does not return", a.names)
	}
	return a.err
}

// awaitDone waits until a context is over and returns why.
func (b *bench) awaitDone(ctx context.Context, what string) error {
	b.Helper()
	t := time.NewTimer(b.h.Patience)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
		b.Fatalf("%s does not end", what)
	}
	return context.Cause(ctx)
}

// is checks that err matches all the targets.
func (b *bench) is(what string, err error, targets ...error) {
	b.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			b.Fatalf("%s: got %v, want an error that matches %q", what, err, target)
		}
	}
}
