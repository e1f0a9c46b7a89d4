package etcdlock

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// What is done under a hold that has ended fails with the reason: a lock that
// was given back was not lost.
func TestErrors_SayWhyAHoldHasEnded(t *testing.T) {
	t.Parallel()
	const gaveBack, lost, closed = "given back", "lost", "closed"
	for name, c := range map[string]struct {
		end          func(t *testing.T, k *Lock, suspend func(time.Duration))
		says, saysNo string
	}{
		"given back": {func(t *testing.T, k *Lock, _ func(time.Duration)) {
			t.Helper()
			if err := k.Unlock(t.Context()); err != nil {
				t.Error(err)
			}
		}, gaveBack, lost},
		"lost":                   {func(_ *testing.T, k *Lock, _ func(time.Duration)) { k.held.parts[0].turn.Node.Deleted() }, lost, gaveBack},
		"lost and not known yet": {func(_ *testing.T, _ *Lock, suspend func(time.Duration)) { suspend(time.Minute) }, lost, gaveBack},
		"closed":                 {func(_ *testing.T, k *Lock, _ func(time.Duration)) { k.shut() }, closed, gaveBack},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, suspend := newTestLocker(t, nil)
			k, err := l.Lock(t.Context(), "b")
			if err != nil {
				t.Fatal(err)
			}
			c.end(t, k, suspend)
			errs := map[string]error{}
			_, errs["its name"] = l.Lock(k.Context(), "b")
			_, errs["its name, without its end"] = l.Lock(context.WithoutCancel(k.Context()), "b")
			_, errs["an attempt"] = k.attempt(t.Context())
			if k.Context().Err() != nil {
				_, errs["another name"] = l.Lock(k.Context(), "a")
			}
			for what, err := range errs {
				if !errors.Is(err, ErrLost) {
					t.Errorf("%s: %v does not match ErrLost", what, err)
				} else if text := err.Error(); !strings.Contains(text, c.says) || strings.Contains(text, c.saysNo) || !prefixedOnce(err) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

// The text of ErrOrder tells the way out.
func TestErrors_OrderTellsTheWayOut(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, &Options{DeadlockTimeout: time.Millisecond})
	a, b := mustHold(t, l, "a"), mustHold(t, l, "b")
	over, cancel := context.WithCancel(a.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := l.Lock(over, "b"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	_, err := l.Lock(b.Context(), "a")
	cancel()
	<-done
	if !errors.Is(err, ErrOrder) || !strings.Contains(err.Error(), "one Lock call") || !strings.Contains(err.Error(), "sorted order") || !prefixedOnce(err) {
		t.Error(err)
	}
	for _, k := range []*Lock{a, b} {
		if err := k.Unlock(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func mustHold(t *testing.T, l *Locker, name string) *Lock {
	t.Helper()
	k, err := l.Lock(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func prefixedOnce(err error) bool {
	return strings.HasPrefix(err.Error(), "etcdlock: ") && strings.Count(err.Error(), "etcdlock: ") == 1
}
