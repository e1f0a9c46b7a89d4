package etcdlock

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Force takes names from all who hold or wait for them, in this process and in others, and
// has the next token. Afterwards the lock is like any other.
func TestForceLock(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	l, other, third := lockerOn(t, srv, nil, nil, nil), lockerOn(t, srv, nil, nil, nil), lockerOn(t, srv, nil, nil, nil)
	for what, holder := range map[string]*Locker{"this process": l, "another process": other} {
		held := lockNow(t, holder, "n")
		waits := make(chan error)
		for _, waiter := range []*Locker{third, other} {
			if waiter == holder {
				continue
			}
			go func() {
				_, err := waiter.Lock(t.Context(), "n")
				waits <- err
			}()
			awaitQueue(t, srv, "n", 2)
			break
		}
		k, err := l.ForceLock(t.Context(), "n", "free")
		if err != nil {
			t.Fatalf("from %s: %v", what, err)
		}
		<-held.Context().Done()
		if cause := context.Cause(held.Context()); !errors.Is(cause, ErrLost) {
			t.Errorf("from %s: the holder's context ended with %v", what, cause)
		}
		if err := <-waits; !errors.Is(err, ErrLost) {
			t.Errorf("from %s: the wait ended with %v", what, err)
		}
		if token, ok := k.TokenOf("n"); !ok || token <= held.Token() || k.Context().Err() != nil {
			t.Errorf("from %s: token %d after %d, %v", what, token, held.Token(), context.Cause(k.Context()))
		}
		for _, try := range []*Locker{l, other, third} {
			if _, err := try.TryLock(t.Context(), "n"); !errors.Is(err, ErrHeld) {
				t.Errorf("from %s: a try: %v", what, err)
			}
		}
		if err := k.Extend(t.Context(), time.Minute); !errors.Is(err, ErrUnsupported) {
			t.Errorf("Extend: %v", err)
		}
		if _, err := l.ForceLock(k.Context(), "n"); !errors.Is(err, ErrInvalid) {
			t.Errorf("a name that the context holds: %v", err)
		}
		if err := held.Unlock(t.Context()); !errors.Is(err, ErrLost) {
			t.Errorf("the holder's Unlock: %v", err)
		}
		unlockNow(t, k)
		unlockNow(t, lockNow(t, l, "n"))
	}
}

// A hold that lingers in this process is not used again once the name was taken by force.
func TestForceLock_Lingering(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, &Options{Linger: time.Hour})
	unlockNow(t, lockNow(t, l, "n"))
	k, err := l.ForceLock(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.TryLock(t.Context(), "n"); !errors.Is(err, ErrHeld) {
		t.Errorf("a try: %v", err)
	}
	unlockNow(t, k)
}

// Of several who use force at the same time at most one is left in the end, and all others
// have been told.
func TestForceLock_AtTheSameTime(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var locks []*Lock
	for range 8 {
		l := lockerOn(t, srv, nil, nil, nil)
		wg.Go(func() {
			k, err := l.ForceLock(t.Context(), "n")
			if err != nil {
				if !errors.Is(err, ErrLost) {
					t.Error(err)
				}
				return
			}
			mu.Lock()
			defer mu.Unlock()
			locks = append(locks, k)
		})
	}
	wg.Wait()
	last := locks[0]
	for _, k := range locks {
		if k.Token() > last.Token() {
			last = k
		}
	}
	for _, k := range locks {
		if k != last {
			<-k.Context().Done()
			if err := k.Unlock(t.Context()); !errors.Is(err, ErrLost) {
				t.Errorf("Unlock of one that was removed: %v", err)
			}
		}
	}
	unlockNow(t, last)
	if keys := srv.Keys(); len(keys) > 8 { // the sessions, of those that have one
		t.Errorf("left %q", keys)
	}
}

// It is repeated when answers are lost, and gives up with its context.
func TestForceLock_WithoutAnswer(t *testing.T) {
	t.Parallel()
	for _, comes := range []bool{true, false} {
		srv := newServer(t)
		other := lockerOn(t, srv, nil, nil, nil)
		held := lockNow(t, other, "n")
		var left atomic.Int64
		left.Store(3)
		if !comes {
			left.Store(1 << 40)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l := lockerOn(t, srv, nil, func(_ context.Context, req any, serve func() error) error {
			if txn, ok := req.(*pb.TxnRequest); ok && len(txn.GetSuccess()) == 1 && txn.GetSuccess()[0].GetRequestDeleteRange() != nil && left.Add(-1) >= 0 {
				if comes {
					return answerLost(serve)
				}
				cancel()
				return errReplyLost
			}
			return serve()
		}, nil)
		k, err := l.ForceLock(ctx, "n")
		if !comes {
			if !errors.Is(err, context.Canceled) || held.Context().Err() != nil {
				t.Errorf("given up: %v, %v", err, context.Cause(held.Context()))
			}
			left.Store(0)
			unlockNow(t, held)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		<-held.Context().Done()
		_ = held.Unlock(t.Context())
		unlockNow(t, k)
	}
}
