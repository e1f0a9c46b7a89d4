package etcdlock

import (
	"context"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// Whatever calls a watch off before etcd has confirmed it, is heard once it is confirmed: the
// client asks for its end after that, and for as many ends as watches. Nothing is asked of
// what was called off.
func TestLeash_CalledOffBeforeConfirmed(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(t *testing.T, l, other *Locker, asked func() bool){
		"Linger": func(t *testing.T, l, _ *Locker, asked func() bool) { // whose watch is called off when the hold leaves
			for !asked() { // a hold may leave before it asks
				unlockNow(t, lockNow(t, l, "n"))
				eventually(t, "the hold to leave", func() bool { return l.cohorts.Len() == 0 })
			}
		},
		"Wait": func(t *testing.T, l, other *Locker, asked func() bool) { // and the wait is called off
			k := lockNow(t, other, "n")
			cancelledWait(t, l, "n", asked, func(ctx context.Context) error { _, err := l.Lock(ctx, "n"); return err })
			unlockNow(t, k)
		},
		"FixedTerm": func(t *testing.T, l, other *Locker, asked func() bool) { // whose watch is that of its predecessor
			k := lockNow(t, other, "n")
			cancelledWait(t, l, "n", asked, func(ctx context.Context) error {
				_, err := l.LockWithTTL(ctx, time.Hour, "n")
				return err
			})
			unlockNow(t, k)
		},
		"Try": func(t *testing.T, l, other *Locker, asked func() bool) { // that asks
			k := lockNow(t, other, "n")
			cancelledWait(t, l, "n", asked, func(ctx context.Context) error { _, err := l.TryLock(ctx, "n"); return err })
			unlockNow(t, k)
		},
		"Watch": func(t *testing.T, l, _ *Locker, _ func() bool) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for _, err := range l.Watch(ctx, "n") {
				if err != nil {
					t.Error(err)
				}
				break
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			var mu sync.Mutex
			confirm := make(chan struct{})
			asked, ended := 0, make(map[int64]bool) // by id: the client ends a watch again that still tells something
			anchored := false                       // by the session's watch: the client asks for no end of its last watch, but closes the stream
			hasAsked := func() bool {
				mu.Lock()
				defer mu.Unlock()
				return asked > 0
			}
			l := lockerOn(t, srv, &Options{TTL: time.Hour, Linger: time.Millisecond, RequestTimeout: time.Hour}, func(ctx context.Context, req any, serve func() error) error {
				w, ok := req.(*pb.WatchRequest)
				if !ok {
					return serve()
				}
				if isSession(string(w.GetCreateRequest().GetKey())) {
					mu.Lock()
					anchored = true
					mu.Unlock()
				}
				if c := w.GetCreateRequest(); c != nil && string(c.Key) != session.Prefix && len(c.Key) > 0 && !isSession(string(c.Key)) {
					mu.Lock()
					asked++
					mu.Unlock()
					if name != "Watch" { // which is called off by what it tells
						select {
						case <-confirm:
						case <-ctx.Done():
						}
					}
				}
				if c := w.GetCancelRequest(); c != nil {
					mu.Lock()
					ended[c.WatchId] = true
					mu.Unlock()
				}
				return serve()
			}, nil)
			other := lockerOn(t, srv, patient(), nil, nil)
			if _, err := l.session.Lease(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the session's watch", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return anchored
			})
			use(t, l, other, hasAsked)
			mu.Lock()
			if len(ended) > 0 && name != "Watch" {
				t.Errorf("%d watches were called off before they were confirmed", len(ended))
			}
			mu.Unlock()
			close(confirm)
			eventually(t, "the end of every watch", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return asked > 0 && len(ended) == asked
			})
		})
	}
}

func isSession(key string) bool {
	return len(key) > len(session.Prefix) && key[:len(session.Prefix)] == session.Prefix
}

// cancelledWait cancels the call once its key stands in the queue and its watch is on its way.
func cancelledWait(t *testing.T, l *Locker, name string, asked func() bool, call func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- call(ctx) }()
	eventually(t, "the key", func() bool {
		queue, err := l.Holders(t.Context(), name)
		return err == nil && len(queue) == 2 && asked()
	})
	cancel()
	if err := <-done; err == nil {
		t.Error("it got the lock")
	}
}
