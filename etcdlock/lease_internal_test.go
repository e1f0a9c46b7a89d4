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
