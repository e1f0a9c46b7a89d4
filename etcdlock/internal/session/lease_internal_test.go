package session

import (
	"context"
	"errors"
	"testing"
	"time"
)

// The validity is counted from before the request, however long the answer
// takes, and a margin is taken off.
func TestLease_ValidityIsCautious(t *testing.T) {
	t.Parallel()
	s := newSession(t, newServer(t), nil)
	var passed time.Duration
	s.now = func() time.Duration { passed += time.Second; return passed } // a second passes between two looks
	l, err := s.Grant(t.Context(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Retire()
	if l.margin <= 0 {
		t.Errorf("the margin is %v", l.margin)
	}
	if until, want := time.Duration(l.until.Load()), 11*time.Second-l.margin; until != want {
		t.Errorf("granted until %v, want %v", until, want)
	}
	sent := passed + time.Second
	if err := l.Renew(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if until, want := time.Duration(l.until.Load()), sent+10*time.Second-l.margin; until != want {
		t.Errorf("renewed until %v, want %v", until, want)
	}
	s.now = NewClock() // Retire looks at it in the background
}

// Of a lease, nothing is left in etcd once it is revoked, and it is not valid here
// once it has ended.
func TestLease_Ends(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	s := newSession(t, srv, nil)
	l, err := s.Grant(t.Context(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if !l.Alive() || l.Ctx().Err() != nil || srv.LeaseCount() != 1 {
		t.Fatalf("alive: %v, its context: %v, %d leases in etcd", l.Alive(), l.Ctx().Err(), srv.LeaseCount())
	}
	l.Lose(errTest)
	if cause := context.Cause(l.Ctx()); l.Alive() || !errors.Is(cause, ErrLost) || !errors.Is(cause, errTest) || l.Faded() {
		t.Errorf("alive: %v, its context: %v, for lack of an etcd: %v", l.Alive(), cause, l.Faded())
	}
	if err := l.Revoke(); err != nil || srv.LeaseCount() != 0 {
		t.Errorf("%v, %d leases in etcd", err, srv.LeaseCount())
	}
	if err := l.Revoke(); err != nil { // as after a lost answer
		t.Error(err)
	}
}

// A lease ends when its time is over by the clock: for lack of an etcd, or because its
// term is over.
func TestLease_Expires(t *testing.T) {
	t.Parallel()
	for name, term := range map[string]bool{"Renewed": false, "Term": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, newServer(t), nil)
			now := time.Duration(0)
			s.now = func() time.Duration { return now }
			l, err := s.Grant(t.Context(), 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			now = 9 * time.Second
			if term {
				l.StartTerm()
				if now = 9500 * time.Millisecond; !l.Alive() {
					t.Error("the term is over too early")
				}
				now = 10 * time.Second
			}
			l.Expire()
			if cause := context.Cause(l.Ctx()); !errors.Is(cause, ErrLost) || errors.Is(cause, ErrUnavailable) == term || l.Faded() == term {
				t.Errorf("it ended with %v", cause)
			}
			if err := l.Revoke(); err != nil {
				t.Error(err)
			}
		})
	}
}
