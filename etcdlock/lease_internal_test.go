package etcdlock

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/memetcd"
)

// newTestLocker returns a Locker on an etcd in memory, whose clock the test can
// move forward, as it goes forward while the machine is suspended.
func newTestLocker(t *testing.T, opts *Options) (l *Locker, suspend func(time.Duration)) {
	t.Helper()
	srv := memetcd.New(nil)
	cli := srv.NewClient(context.Background(), nil)
	l, err := New(cli, opts)
	if err != nil {
		t.Fatal(err)
	}
	var slept atomic.Int64
	awake := l.now
	l.now = func() time.Duration { return awake() + time.Duration(slept.Load()) }
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Error(err)
		}
		_ = cli.Close() // says only that its context is over
		srv.Close()
	})
	return l, func(d time.Duration) { slept.Add(int64(d)) }
}

func TestLease_EndsWhileTheMachineSleeps(t *testing.T) {
	t.Parallel()
	l, suspend := newTestLocker(t, nil)
	k, err := l.Lock(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	term, err := l.LockFor(t.Context(), time.Minute, "t")
	if err != nil {
		t.Fatal(err)
	}
	suspend(30 * time.Second)
	<-k.Context().Done()
	if cause := context.Cause(k.Context()); !errors.Is(cause, ErrLost) {
		t.Errorf("the hold's context ended with %v", cause)
	}
	if term.Context().Err() != nil {
		t.Error("the fixed term ended before its time")
	}
	suspend(30 * time.Second)
	<-term.Context().Done()
	if cause := context.Cause(term.Context()); !errors.Is(cause, ErrLost) {
		t.Errorf("the term's context ended with %v", cause)
	}
}

// After waking up, a call finds the lease over even before anything that looks
// at the clock from time to time has done so.
func TestLease_IsNotTrustedAfterWakingUp(t *testing.T) {
	t.Parallel()
	l, suspend := newTestLocker(t, nil)
	k, err := l.Lock(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	suspend(time.Minute)
	if _, err := l.Lock(k.Context(), "n"); !errors.Is(err, ErrLost) {
		t.Errorf("a nested lock: %v", err)
	}
	if err := k.Unlock(t.Context()); !errors.Is(err, ErrLost) {
		t.Errorf("Unlock: %v", err)
	}
}

// The validity is counted from before the request, however long the answer
// takes, and a margin is taken off.
func TestLease_ValidityIsCautious(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, nil)
	var passed time.Duration
	l.now = func() time.Duration { passed += time.Second; return passed } // a second passes between two looks
	s, err := l.grant(t.Context(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer s.retire()
	if s.margin <= 0 {
		t.Errorf("the margin is %v", s.margin)
	}
	if until, want := time.Duration(s.until.Load()), 11*time.Second-s.margin; until != want {
		t.Errorf("granted until %v, want %v", until, want)
	}
	sent := passed + time.Second
	if err := s.renew(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if until, want := time.Duration(s.until.Load()), sent+10*time.Second-s.margin; until != want {
		t.Errorf("renewed until %v, want %v", until, want)
	}
	l.now = newClock() // retire looks at it in the background
}
