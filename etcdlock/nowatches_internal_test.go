package etcdlock

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What etcd refuses to show is told to who waits for it, who then stands in the
// queue no longer; and when etcd is ready to show it again, everything works.
func TestWatches_Refused(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var refuses atomic.Bool
	l := lockerOn(t, srv, &Options{TTL: time.Hour}, func(_ context.Context, req any, serve func() error) error {
		if step(req) == "Snapshot" && refuses.Load() {
			return status.Error(codes.PermissionDenied, "not for you")
		}
		return serve()
	}, nil)
	other := lockerOn(t, srv, nil, nil, nil)
	held := lockNow(t, other, "n")
	refuses.Store(true)
	if _, err := l.Lock(t.Context(), "n"); !errors.Is(err, ErrRefused) {
		t.Errorf("Lock: %v", err)
	}
	awaitQueue(t, srv, "n", 1)
	refuses.Store(false)
	next := make(chan *Lock)
	go func() { next <- lockNow(t, l, "n") }()
	awaitQueue(t, srv, "n", 2)
	unlockNow(t, held)
	unlockNow(t, <-next)
}

// Where no watch stands for long, looking from time to time has to do.
func TestWatches_None(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]func(context.Context, *Locker) (*Lock, error){
		"Snapshot": func(ctx context.Context, l *Locker) (*Lock, error) { return l.Lock(ctx, "n") },
		"Await":    func(ctx context.Context, l *Locker) (*Lock, error) { return l.LockWithTTL(ctx, time.Minute, "n") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			l := lockerOn(t, srv, nil, func(_ context.Context, req any, serve func() error) error {
				if step(req) == "Watch" {
					return status.Error(codes.Unknown, "no watches here")
				}
				return serve()
			}, nil)
			other := lockerOn(t, srv, nil, nil, nil)
			held := lockNow(t, other, "n")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			next := make(chan *Lock)
			go func() {
				k, err := lock(ctx, l)
				if err != nil {
					t.Error(err)
				}
				next <- k
			}()
			awaitQueue(t, srv, "n", 2)
			unlockNow(t, held)
			if k := <-next; k != nil {
				unlockNow(t, k)
			}
		})
	}
}
