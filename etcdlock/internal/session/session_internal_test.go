package session

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A session has one lease for all who ask, with a sentinel on it. Nothing of it is left
// once it is stopped, and nothing starts any more.
func TestSession(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	s := newSession(t, srv, nil)
	if n := srv.LeaseCount(); n != 0 {
		t.Errorf("%d leases before somebody asks", n)
	}
	l := leaseOf(t, s)
	if again := leaseOf(t, s); again != l || srv.LeaseCount() != 1 {
		t.Errorf("%d leases for two who ask", srv.LeaseCount())
	}
	if keys := srv.Keys(); !slices.Equal(keys, []string{Prefix + l.Name() + "/"}) {
		t.Errorf("the keys are %q", keys)
	}
	ran := make(chan struct{})
	if !s.Spawn(func() { close(ran) }) {
		t.Error("it does nothing in the background")
	}
	<-ran
	if err := s.Stop(errTest); err != nil {
		t.Error(err)
	}
	if cause := context.Cause(l.Ctx()); !errors.Is(cause, errTest) {
		t.Errorf("the lease ended with %v", cause)
	}
	if srv.LeaseCount() != 0 || len(srv.Keys()) != 0 {
		t.Errorf("%d leases and the keys %q are left", srv.LeaseCount(), srv.Keys())
	}
	if s.Spawn(func() { t.Error("it runs after the end") }) {
		t.Error("it can be used after the end")
	}
}

// However a lease is lost, the next one takes its place, and who uses the first is
// told.
func TestSession_LeaseLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(ctx context.Context, cli *clientv3.Client, l *Lease) error{
		"Revoked": func(ctx context.Context, cli *clientv3.Client, l *Lease) error {
			_, err := cli.Revoke(ctx, l.ID)
			return err
		},
		"SentinelDeleted": func(ctx context.Context, cli *clientv3.Client, l *Lease) error {
			_, err := cli.Delete(ctx, Prefix+l.Name()+"/")
			return err
		},
		"Here": func(_ context.Context, _ *clientv3.Client, l *Lease) error {
			l.Lose(errTest)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			cli := srv.NewClient(context.Background(), nil)
			lost := make(chan *Lease, 1)
			s := sessionOf(t, cli, func(l *Lease) { lost <- l })
			l := leaseOf(t, s)
			if err := lose(t.Context(), cli, l); err != nil {
				t.Fatal(err)
			}
			if got := <-lost; got != l || !errors.Is(context.Cause(l.Ctx()), ErrLost) {
				t.Errorf("told of the loss of another lease, or of none: %v", context.Cause(l.Ctx()))
			}
			if next := leaseOf(t, s); next == l || !next.Alive() {
				t.Error("the next lease is the lost one")
			}
			if err := s.Stop(errTest); err != nil || srv.LeaseCount() != 0 {
				t.Errorf("%v, %d leases are left", err, srv.LeaseCount())
			}
		})
	}
}

// A loss is told once every context on the lease has ended: a lock on one that has not
// looks alive.
func TestSession_LostAfterItsContexts(t *testing.T) {
	t.Parallel()
	var below []context.Context
	alive := make(chan int, 1)
	s := sessionOf(t, newServer(t).NewClient(context.Background(), nil), func(*Lease) {
		n := 0
		for _, ctx := range below {
			if ctx.Err() == nil {
				n++
			}
		}
		alive <- n
	})
	l := leaseOf(t, s)
	for range 10_000 {
		ctx, cancel := context.WithCancel(l.Ctx())
		defer cancel()
		below = append(below, ctx)
	}
	l.Lose(errTest)
	if n := <-alive; n > 0 {
		t.Errorf("%d contexts go on", n)
	}
}

// Who is in a hurry hears of the first failure, everybody else waits for the next try;
// what asking again will not change is said to all.
func TestSession_NoLease(t *testing.T) {
	t.Parallel()
	busy, denied := status.Error(codes.Unavailable, "busy"), status.Error(codes.PermissionDenied, "no")
	var refusal atomic.Pointer[error]
	refusal.Store(&busy)
	s := newSession(t, newServer(t), func(_ context.Context, req any, serve func() error) error {
		if _, ok := req.(*pb.LeaseGrantRequest); ok {
			if err := *refusal.Load(); err != nil {
				return err
			}
		}
		return serve()
	})
	if _, err := s.Lease(t.Context(), true); !errors.Is(Unserved(err), ErrUnavailable) || !strings.Contains(err.Error(), "busy") {
		t.Errorf("in a hurry: %v", err)
	}
	refusal.Store(&denied)
	if _, err := s.Lease(t.Context(), false); !s.Final(err) || !errors.Is(Unserved(err), ErrRefused) {
		t.Errorf("where it is denied: %v", err)
	}
	var none error
	refusal.Store(&none)
	for { // the denial is what is known until the next try
		if l, err := s.Lease(t.Context(), false); err == nil {
			if !l.Alive() {
				t.Error("the lease is over")
			}
			return
		} else if !s.Final(err) {
			t.Fatal(err)
		}
	}
}
