package etcdlock

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-go/holdfast/internal/fencing"
)

// What etcd refuses is told at once, as that, by every call, and is not sent again by it.
func TestRefused_EveryCall(t *testing.T) {
	t.Parallel()
	calls := map[string]func(ctx context.Context, l *Locker, k *Lock) error{
		"Lock":    func(ctx context.Context, l *Locker, _ *Lock) error { _, err := l.Lock(ctx, "m"); return err },
		"Several": func(ctx context.Context, l *Locker, _ *Lock) error { _, err := l.Lock(ctx, "m", "o"); return err },
		"TryLock": func(ctx context.Context, l *Locker, _ *Lock) error { _, err := l.TryLock(ctx, "m"); return err },
		"LockWithTTL": func(ctx context.Context, l *Locker, _ *Lock) error {
			_, err := l.LockWithTTL(ctx, time.Hour, "m")
			return err
		},
		"TryLockWithTTL": func(ctx context.Context, l *Locker, _ *Lock) error {
			_, err := l.TryLockWithTTL(ctx, time.Hour, "m")
			return err
		},
		"ForceLock": func(ctx context.Context, l *Locker, _ *Lock) error { _, err := l.ForceLock(ctx, "m"); return err },
		"Holders":   func(ctx context.Context, l *Locker, _ *Lock) error { _, err := l.Holders(ctx, "m"); return err },
		"List":      func(ctx context.Context, l *Locker, _ *Lock) error { _, err := l.List(ctx); return err },
		"Revision": func(ctx context.Context, l *Locker, _ *Lock) error {
			_, err := fencing.OfLocker(l).Revision(ctx)
			return err
		},
		"Evict": func(ctx context.Context, l *Locker, _ *Lock) error {
			return l.Evict(ctx, Holder{Name: "m", Key: defaultNamespace + "m/1", Revision: 1})
		},
		"Watch": func(ctx context.Context, l *Locker, _ *Lock) (err error) {
			for _, e := range l.Watch(ctx, "m") {
				err = e
			}
			return err
		},
		"Unlock": func(ctx context.Context, _ *Locker, k *Lock) error { return k.Unlock(ctx) },
	}
	for name, refusal := range map[string]error{
		"NoRight":       status.Error(codes.PermissionDenied, "etcdserver: permission denied"),
		"Malformed":     status.Error(codes.InvalidArgument, "etcdserver: too many operations in txn request"),
		"Unimplemented": status.Error(codes.Unimplemented, "unknown service"),
		"Kine":          status.Error(codes.InvalidArgument, "etcdserver: unsupported operations in txn request"),
		"NotSupported":  status.Error(codes.Unknown, "txn is not supported"),
	} {
		for what, call := range calls {
			t.Run(name+what, func(t *testing.T) {
				t.Parallel()
				var refuses atomic.Bool
				srv := newServer(t)
				l := lockerOn(t, srv, &Options{Linger: NoLinger, TTL: time.Hour}, func(_ context.Context, _ any, serve func() error) error {
					if refuses.Load() {
						return refusal
					}
					return serve()
				}, nil)
				k := lockNow(t, l, "n")
				refuses.Store(true)
				err := call(t.Context(), l, k)
				if !errors.Is(err, ErrRefused) || errors.Is(err, ErrUnavailable) || status.Code(err) == codes.OK {
					t.Errorf("got %v", err)
				}
				named := strings.Contains(err.Error(), "no full etcd")
				if want := name == "Unimplemented" || name == "NotSupported" || name == "Kine"; named != want {
					t.Errorf("it names the server: %v, want %v: %v", named, want, err)
				}
				refuses.Store(false)
				if what != "Unlock" {
					unlockNow(t, k)
				}
			})
		}
	}
}

// noEtcd gives leases as kine does, and lacks the rest.
type noEtcd struct{ clientv3.Lease }

func (noEtcd) Grant(_ context.Context, ttl int64) (*clientv3.LeaseGrantResponse, error) {
	return &clientv3.LeaseGrantResponse{ID: clientv3.LeaseID(ttl), TTL: ttl}, nil
}

func (noEtcd) Revoke(context.Context, clientv3.LeaseID) (*clientv3.LeaseRevokeResponse, error) {
	return nil, status.Error(codes.Unknown, "lease revoke is not supported")
}

// On a server whose leases are all one, nothing is locked: keys on them would be one
// process's.
func TestRefused_NoFullEtcd(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	l := lockerOn(t, srv, nil, nil, func(cli *clientv3.Client) { cli.Lease = noEtcd{cli.Lease} })
	for what, lock := range map[string]func() (*Lock, error){
		"Lock":           func() (*Lock, error) { return l.Lock(t.Context(), "n") },
		"TryLock":        func() (*Lock, error) { return l.TryLock(t.Context(), "n") },
		"LockWithTTL":    func() (*Lock, error) { return l.LockWithTTL(t.Context(), time.Minute, "n") },
		"TryLockWithTTL": func() (*Lock, error) { return l.TryLockWithTTL(t.Context(), time.Minute, "n") },
	} {
		if _, err := lock(); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "no full etcd") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if keys := srv.Keys(); len(keys) != 0 {
		t.Errorf("it has put %q", keys)
	}
}

// A client that is closed under its Locker: holders and waiters of every kind are told.
func TestClientClosed(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	other := lockerOn(t, srv, nil, nil, nil)
	cli := srv.NewClient(context.Background(), nil)
	l, err := New(cli, &Options{TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	held, busy := lockNow(t, l, "held"), lockNow(t, other, "busy")
	fixed, err := l.LockWithTTL(t.Context(), time.Hour, "fixed")
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan error)
	for _, name := range []string{"busy", "busy", "held"} { // in etcd, in line behind that one, in line
		go func() {
			_, err := l.Lock(t.Context(), name)
			waits <- err
		}()
	}
	go func() {
		_, err := l.LockWithTTL(t.Context(), time.Hour, "busy")
		waits <- err
	}()
	awaitQueue(t, srv, "busy", 3)
	inLine(t, l, "busy", 2)
	inLine(t, l, "held", 1)
	_ = cli.Close()
	for _, k := range []*Lock{held, fixed} {
		<-k.Context().Done()
		if cause := context.Cause(k.Context()); !errors.Is(cause, ErrLost) || !strings.Contains(cause.Error(), "client is closed") {
			t.Errorf("a hold ended with %v", cause)
		}
	}
	for range 4 {
		if err := <-waits; err == nil || !strings.Contains(err.Error(), "client is closed") {
			t.Errorf("a wait ended with %v", err)
		}
	}
	if err := l.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "client is closed") {
		t.Errorf("Close: %v", err)
	}
	unlockNow(t, busy)
}
