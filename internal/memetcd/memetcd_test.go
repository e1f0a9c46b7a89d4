package memetcd_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/internal/memetcd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func setup(t *testing.T) (*memetcd.Server, *clientv3.Client) {
	t.Helper()
	srv := memetcd.New(nil)
	t.Cleanup(srv.Close)
	return srv, newClient(t, srv, nil)
}

func newClient(t *testing.T, srv *memetcd.Server, opts *memetcd.ClientOptions) *clientv3.Client {
	t.Helper()
	// Not t.Context(): that ends before the clean-ups, which still use clients.
	cli := srv.NewClient(context.Background(), opts)
	t.Cleanup(func() { _ = cli.Close() })
	return cli
}

func must[R any](resp R, err error) func(*testing.T) R {
	return func(t *testing.T) R {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
}

func TestServer_ClientsShareKeys(t *testing.T) {
	t.Parallel()
	srv, a := setup(t)
	b := newClient(t, srv, nil)
	put := must(a.Put(t.Context(), "k", "v"))(t)
	got := must(b.Get(t.Context(), "k"))(t)
	if len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "v" || got.Kvs[0].CreateRevision != put.Header.Revision {
		t.Fatalf("got %v after the put at %d", got.Kvs, put.Header.Revision)
	}
	if srv.Revision() != put.Header.Revision || len(srv.Keys()) != 1 {
		t.Fatalf("the server is at %d with %q", srv.Revision(), srv.Keys())
	}
}

func TestServer_AnswersAreCopies(t *testing.T) {
	t.Parallel()
	_, cli := setup(t)
	must(cli.Put(t.Context(), "k", "v"))(t)
	must(cli.Get(t.Context(), "k"))(t).Kvs[0].Value[0] = 'x'
	if got := must(cli.Get(t.Context(), "k"))(t).Kvs[0].Value; string(got) != "v" {
		t.Fatalf("a change of an answer changed the store: %q", got)
	}
}

func TestServer_ConcurrentQueuesStayWhole(t *testing.T) {
	t.Parallel()
	srv, _ := setup(t)
	const workers, rounds = 8, 25
	var counter, inside int
	var wg sync.WaitGroup
	errs := make(chan error, workers)
	for range workers {
		cli := newClient(t, srv, nil)
		wg.Go(func() {
			errs <- func() error {
				s, err := concurrency.NewSession(cli, concurrency.WithTTL(30))
				if err != nil {
					return err
				}
				defer func() { _ = s.Close() }()
				mu := concurrency.NewMutex(s, "/m")
				for range rounds {
					if err := mu.Lock(t.Context()); err != nil {
						return err
					}
					if inside++; inside != 1 {
						return errors.New("two inside")
					}
					counter++
					inside--
					if err := mu.Unlock(t.Context()); err != nil {
						return err
					}
				}
				return nil
			}()
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	if counter != workers*rounds {
		t.Fatalf("counted %d, want %d", counter, workers*rounds)
	}
	if keys := srv.Keys(); len(keys) != 0 || srv.LeaseCount() != 0 {
		t.Fatalf("left behind: keys %q, %d leases", keys, srv.LeaseCount())
	}
}

func TestServer_HistoryIsBounded(t *testing.T) {
	t.Parallel()
	srv := memetcd.New(&memetcd.Options{History: 10})
	t.Cleanup(srv.Close)
	cli := newClient(t, srv, nil)
	for i := range 50 {
		must(cli.Put(t.Context(), "k", strconv.Itoa(i)))(t)
	}
	if _, err := cli.Get(t.Context(), "k", clientv3.WithRev(5)); !errors.Is(err, rpctypes.ErrCompacted) {
		t.Fatalf("an old read: %v, want compacted", err)
	}
	must(cli.Get(t.Context(), "k", clientv3.WithRev(srv.Revision()-5)))(t)
	resp := <-cli.Watch(t.Context(), "k", clientv3.WithRev(2))
	if !errors.Is(resp.Err(), rpctypes.ErrCompacted) || resp.CompactRevision == 0 {
		t.Fatalf("an old watch: %v, compacted at %d", resp.Err(), resp.CompactRevision)
	}
}

func TestServer_Closed(t *testing.T) {
	t.Parallel()
	srv, cli := setup(t)
	must(cli.Grant(t.Context(), 5))(t)
	srv.Close()
	srv.Close()
	if _, err := cli.Get(t.Context(), "k"); !errors.Is(err, rpctypes.ErrStopped) {
		t.Fatalf("got %v, want stopped", err)
	}
}

func TestClient_ClosedOrCancelled(t *testing.T) {
	t.Parallel()
	_, cli := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := cli.Put(ctx, "k", "v"); !errors.Is(err, context.Canceled) {
		t.Fatalf("with a cancelled context: %v", err)
	}
	ctx, cancel = context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	if _, err := cli.Put(ctx, "k", "v"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("with a deadline in the past: %v", err)
	}
	_ = cli.Close()
	if _, err := cli.Put(t.Context(), "k", "v"); !clientv3.IsConnCanceled(err) {
		t.Fatalf("on a closed client: %v", err)
	}
}

func TestInterceptor_LostRequestAndLostAnswer(t *testing.T) {
	t.Parallel()
	srv, _ := setup(t)
	lost := errors.New("lost")
	var deliver bool
	cli := newClient(t, srv, &memetcd.ClientOptions{
		Intercept: func(_ context.Context, req any, next func() error) error {
			if _, put := req.(*pb.PutRequest); !put {
				return next()
			}
			if deliver {
				if err := next(); err != nil {
					return err
				}
			}
			return lost
		},
	})
	if _, err := cli.Put(t.Context(), "k", "v"); !errors.Is(err, lost) || len(srv.Keys()) != 0 {
		t.Fatalf("lost request: %v, keys %q", err, srv.Keys())
	}
	deliver = true
	if _, err := cli.Put(t.Context(), "k", "v"); !errors.Is(err, lost) || len(srv.Keys()) != 1 {
		t.Fatalf("lost answer: %v, keys %q", err, srv.Keys())
	}
}
