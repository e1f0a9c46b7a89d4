package memetcd_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/internal/memetcd"
)

// advance moves the clock of a bubble on and lets everything that is due happen.
func advance(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestLease_ExpiresWithItsKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, cli := setup(t)
		l := must(cli.Grant(t.Context(), 3))(t)
		must(cli.Put(t.Context(), "a", "", clientv3.WithLease(l.ID)))(t)
		must(cli.Put(t.Context(), "b", "", clientv3.WithLease(l.ID)))(t)
		rev := srv.Revision()

		advance(3*time.Second - time.Nanosecond)
		if len(srv.Keys()) != 2 {
			t.Fatalf("keys %q before the lease expires", srv.Keys())
		}
		advance(time.Nanosecond)
		if len(srv.Keys()) != 0 || srv.LeaseCount() != 0 {
			t.Fatalf("keys %q, %d leases after it has", srv.Keys(), srv.LeaseCount())
		}
		if srv.Revision() != rev+1 {
			t.Fatalf("the server is at %d; want both keys gone in the one revision %d", srv.Revision(), rev+1)
		}
		if _, err := cli.KeepAliveOnce(t.Context(), l.ID); !errors.Is(err, rpctypes.ErrLeaseNotFound) {
			t.Fatalf("renewing it: %v", err)
		}
	})
}

func TestLease_KeptAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, cli := setup(t)
		l := must(cli.Grant(t.Context(), 3))(t)
		ctx, stop := context.WithCancel(t.Context())
		ch := must(cli.KeepAlive(ctx, l.ID))(t)
		for range 20 {
			if r := <-ch; r == nil || r.TTL != 3 {
				t.Fatalf("a keepalive answered %v", r)
			}
		}
		stop()
		for range ch { // until the client has stopped
		}
		advance(3 * time.Second)
		if srv.LeaseCount() != 0 {
			t.Fatal("the lease outlives its keepalive by more than its TTL")
		}
	})
}

func TestLease_KeepAliveOfARevokedLeaseEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, cli := setup(t)
		l := must(cli.Grant(t.Context(), 6))(t)
		ch := must(cli.KeepAlive(t.Context(), l.ID))(t)
		<-ch
		must(cli.Revoke(t.Context(), l.ID))(t)
		for range ch { // must be closed
		}
		if _, err := cli.Revoke(t.Context(), l.ID); !errors.Is(err, rpctypes.ErrLeaseNotFound) {
			t.Fatalf("revoking twice: %v", err)
		}
	})
}

func TestLease_KeepAliveSurvivesABrokenStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, cli := setup(t)
		l := must(cli.Grant(t.Context(), 3))(t)
		ch := must(cli.KeepAlive(t.Context(), l.ID))(t)
		<-ch
		for range 5 {
			srv.BreakStreams(rpctypes.ErrGRPCLeaderChanged)
			if r := <-ch; r == nil {
				t.Fatal("the keepalive ended with its stream")
			}
		}
	})
}

func TestLease_PartitionedClientLosesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := memetcd.New(nil)
		t.Cleanup(srv.Close)
		cut := make(chan struct{})
		cli := newClient(t, srv, &memetcd.ClientOptions{
			Intercept: func(ctx context.Context, req any, next func() error) error {
				select {
				case <-cut:
					if _, ok := req.(*pb.LeaseKeepAliveRequest); ok {
						<-ctx.Done()
						return ctx.Err()
					}
				default:
				}
				return next()
			},
		})
		l := must(cli.Grant(t.Context(), 3))(t)
		ch := must(cli.KeepAlive(t.Context(), l.ID))(t)
		<-ch
		close(cut)
		for range ch { // ends once the client knows that it is too late
		}
		if srv.LeaseCount() != 0 {
			t.Fatal("the lease lives on without a keepalive")
		}
	})
}

func TestLease_ShortOnesAreLengthened(t *testing.T) {
	t.Parallel()
	_, cli := setup(t)
	if l := must(cli.Grant(t.Context(), 1))(t); l.TTL != 2 {
		t.Fatalf("a lease of 1 s was granted %d s, want the minimum of 2", l.TTL)
	}
	srv := memetcd.New(&memetcd.Options{MinTTL: 1})
	t.Cleanup(srv.Close)
	if l := must(newClient(t, srv, nil).Grant(t.Context(), 1))(t); l.TTL != 1 {
		t.Fatalf("with a minimum of 1 s it was granted %d s", l.TTL)
	}
}

func TestLease_KeyMovesToItsNewLease(t *testing.T) {
	t.Parallel()
	srv, cli := setup(t)
	a, b := must(cli.Grant(t.Context(), 9))(t), must(cli.Grant(t.Context(), 9))(t)
	must(cli.Put(t.Context(), "k", "", clientv3.WithLease(a.ID)))(t)
	must(cli.Put(t.Context(), "k", "", clientv3.WithLease(b.ID)))(t)
	must(cli.Revoke(t.Context(), a.ID))(t)
	if len(srv.Keys()) != 1 {
		t.Fatal("the key went with a lease that it had left")
	}
	must(cli.Revoke(t.Context(), b.ID))(t)
	if len(srv.Keys()) != 0 {
		t.Fatal("the key outlived its lease")
	}
}
