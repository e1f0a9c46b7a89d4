package locks

import (
	"context"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

// Fleet is a set of Lockers, each on a client of its own as in processes of
// their own, in a namespace that only the test uses.
type Fleet struct {
	T         *testing.T
	Endpoints []string
	Namespace string
	Cli       *clientv3.Client // looks from outside
}

// NewFleet also checks, when the test is over and its Lockers are closed, that
// nothing of them stays in etcd.
func NewFleet(t *testing.T, endpoints []string) *Fleet {
	t.Helper()
	f := &Fleet{T: t, Endpoints: endpoints, Namespace: servers.UniqueName("test-") + "/", Cli: embedded.NewEtcdClient(t, endpoints)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		AwaitQueue(ctx, t, f.Cli, f.Namespace, 0)
	})
	return f
}

// Locker returns a Locker on a client of its own, closed with the test.
func (f *Fleet) Locker(opts *etcdlock.Options) *etcdlock.Locker {
	f.T.Helper()
	return f.LockerOn(embedded.NewEtcdClient(f.T, f.Endpoints), opts)
}

// Patience is how long a Locker of a test waits for etcd. It waits a third of that for an
// answer of another Locker. A busy machine stops a process for seconds.
const Patience = 30 * time.Second

// LockerOn is the same on a given client.
func (f *Fleet) LockerOn(cli *clientv3.Client, opts *etcdlock.Options) *etcdlock.Locker {
	f.T.Helper()
	o := etcdlock.Options{}
	if opts != nil {
		o = *opts
	}
	if o.Namespace == "" && !o.RawNames {
		o.Namespace = f.Namespace
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = Patience
	}
	l, err := etcdlock.New(cli, &o)
	if err != nil {
		f.T.Fatal(err)
	}
	f.T.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			f.T.Errorf("closing a locker: %v", err)
		}
	})
	return l
}

// AwaitQueue waits until exactly n keys stand in the queue of name.
func (f *Fleet) AwaitQueue(ctx context.Context, name string, n int) []string {
	f.T.Helper()
	return AwaitQueue(ctx, f.T, f.Cli, f.Namespace+name+"/", n)
}

// AwaitQueue waits until exactly n keys have the prefix, and returns them,
// oldest first. It looks whenever one of them changes.
func AwaitQueue(ctx context.Context, t *testing.T, cli *clientv3.Client, prefix string, n int) []string {
	t.Helper()
	wctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watch clientv3.WatchChan
	for {
		resp, err := cli.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly(),
			clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortAscend))
		if err != nil {
			t.Fatalf("waiting for %d keys under %s: %v", n, prefix, err)
		}
		if len(resp.Kvs) == n {
			keys := make([]string, 0, n)
			for _, kv := range resp.Kvs {
				keys = append(keys, string(kv.Key))
			}
			return keys
		}
		if watch == nil {
			watch = cli.Watch(wctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(resp.Header.Revision+1))
		}
		if _, open := <-watch; !open {
			t.Fatalf("waiting for %d keys under %s: there are %d: %v", n, prefix, len(resp.Kvs), ctx.Err())
		}
	}
}

// Revision returns etcd's current revision: it grows with every write.
func Revision(ctx context.Context, t *testing.T, cli *clientv3.Client) int64 {
	t.Helper()
	resp, err := cli.Get(ctx, "no such key")
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.Revision
}
