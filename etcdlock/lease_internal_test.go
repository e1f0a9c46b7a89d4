package etcdlock

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestLease_EndsWhileTheMachineSleeps(t *testing.T) {
	t.Parallel()
	l, suspend := newTestLocker(t, nil)
	k, err := l.Lock(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	term, err := l.LockWithTTL(t.Context(), time.Minute, "t")
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
