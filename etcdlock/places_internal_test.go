package etcdlock

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

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

// etcd skips every key that was ever deleted, so the keys of a process
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
