package etcdlock

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// puts records the keys that are put into a queue.
type puts struct {
	mu   sync.Mutex
	keys []string
}

func (p *puts) intercept(_ context.Context, req any, serve func() error) error {
	if txn, ok := req.(*pb.TxnRequest); ok {
		p.mu.Lock()
		for _, op := range txn.GetSuccess() {
			if put := op.GetRequestPut(); put != nil {
				p.keys = append(p.keys, string(put.GetKey()))
			}
		}
		p.mu.Unlock()
	}
	return serve()
}

func (p *puts) distinct() (n int, different map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	different = map[string]bool{}
	for _, key := range p.keys {
		different[key] = true
	}
	return len(p.keys), different
}

// etcd passes over every key that was ever deleted, so the keys of a process
// must not be new ones each time.
func TestPlaces_AreUsedAgain(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var p puts
	const rounds = 50
	ls := []*Locker{
		lockerOn(t, srv, &Options{Linger: NoLinger}, p.intercept, nil),
		lockerOn(t, srv, &Options{Linger: NoLinger}, p.intercept, nil),
	}
	var wg sync.WaitGroup
	for i, l := range ls {
		wg.Go(func() {
			for range rounds {
				k, err := l.Lock(t.Context(), "n")
				if err == nil {
					err = k.Unlock(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
				k, err = l.TryLock(t.Context(), strconv.Itoa(i))
				if err == nil {
					err = k.Unlock(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	n, different := p.distinct()
	if n < 4*rounds {
		t.Fatalf("only %d keys were put", n)
	}
	// Of each of the two names, one in use, one on its way out, one that follows.
	if len(different) > 4*3 {
		t.Errorf("%d puts were of %d keys", n, len(different))
	}
}

// A key whose enqueueing had no answer may still be put, so the next one is
// another.
func TestPlaces_UnansweredIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	var p puts
	var lost atomic.Bool
	l := lockerOn(t, newServer(t), &Options{Linger: NoLinger}, func(ctx context.Context, req any, serve func() error) error {
		err := p.intercept(ctx, req, serve)
		if _, different := p.distinct(); err == nil && len(different) == 1 && lost.CompareAndSwap(false, true) {
			return errReplyLost
		}
		return err
	}, nil)
	for range 3 {
		unlockNow(t, lockNow(t, l, "n"))
	}
	n, different := p.distinct()
	if len(different) != 2 || n != 4 {
		t.Errorf("%d puts were of the keys %v", n, different)
	}
	for key := range different {
		if !strings.HasSuffix(key, "-0") && !strings.HasSuffix(key, "-1") {
			t.Errorf("key %s", key)
		}
	}
}

// A hold whose key was deleted by hand leaves while goroutines are in line, who
// may be given that very key again.
func TestPlaces_OfADeletedKeyThatIsExchanged(t *testing.T) {
	t.Parallel()
	l := lockerOn(t, newServer(t), &Options{Linger: time.Hour}, nil, nil)
	k := lockNow(t, l, "n")
	token := k.Token()
	unlockNow(t, k)
	w := &waiter{served: make(chan served, 1)}
	l.stations.mu.Lock()
	s := l.stations.byName["n"]
	e := s.hold.e
	if _, err := l.cli.Delete(t.Context(), e.key); err != nil {
		t.Error(err)
	}
	e.deleted() // as the view finds, which has not told the hold yet
	s.line.PushBack(w)
	leaves := s.advance()
	l.stations.mu.Unlock()
	if leaves == nil {
		t.Fatal("the hold stays")
	}
	if err := leaves.release(); !errors.Is(err, ErrLost) {
		t.Errorf("the release says %v", err)
	}
	got := <-w.served
	if got.err != nil {
		t.Fatal(got.err)
	}
	if got.turn.e.key != e.key || got.turn.e.rev <= token {
		t.Errorf("the next hold has key %s, token %d after %s, %d", got.turn.e.key, got.turn.e.rev, e.key, token)
	}
	l.letGo(got.turn.finish())
}

// Once the last sweep is answered, the key will not be in the queue again. It is
// used again, unless another sweep may still arrive, which would take what it
// finds.
func TestPlaces_AfterTheLastSweep(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stray  bool
		number uint64 // of the next
	}{"Answered": {false, 0}, "Stray": {true, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lockerOn(t, newServer(t), nil, nil, nil)
			e, err := l.enterQueue(t.Context(), "n")
			if err != nil {
				t.Fatal(err)
			}
			e.end()
			e.unsure, e.stray = true, c.stray
			if next := l.newEntry("n", e.lease); next.sole {
				t.Error("before the sweep, the next is alone")
			} else {
				next.end()
				next.vacate()
			}
			e.sweepLast()
			next := l.newEntry("n", e.lease)
			if next.number != c.number || !next.sole {
				t.Errorf("after the sweep, the next has number %d, alone: %v", next.number, next.sole)
			}
			next.end()
			next.vacate()
		})
	}
}
