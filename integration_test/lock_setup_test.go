package integration_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/holdfast-go/holdfast/etcdlock"
)

// fleet is a set of Lockers, each on a client of its own as in processes of
// their own, in a namespace that only the test uses.
type fleet struct {
	t         *testing.T
	endpoints []string
	namespace string
	cli       *clientv3.Client // looks from outside
}

// newFleet also checks, when the test is over and its Lockers are closed, that
// nothing of them stays in etcd.
func newFleet(t *testing.T, endpoints []string) *fleet {
	t.Helper()
	f := &fleet{t: t, endpoints: endpoints, namespace: uniqueName("test-") + "/", cli: newEtcdClient(t, endpoints)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		awaitQueue(ctx, t, f.cli, f.namespace, 0)
	})
	return f
}

// locker returns a Locker on a client of its own, closed with the test.
func (f *fleet) locker(opts *etcdlock.Options) *etcdlock.Locker {
	f.t.Helper()
	return f.lockerOn(newEtcdClient(f.t, f.endpoints), opts)
}

func (f *fleet) lockerOn(cli *clientv3.Client, opts *etcdlock.Options) *etcdlock.Locker {
	f.t.Helper()
	o := etcdlock.Options{}
	if opts != nil {
		o = *opts
	}
	if o.Namespace == "" && !o.RawNames {
		o.Namespace = f.namespace
	}
	l, err := etcdlock.New(cli, &o)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			f.t.Errorf("closing a locker: %v", err)
		}
	})
	return l
}

// awaitQueue waits until exactly n keys stand in the queue of name.
func (f *fleet) awaitQueue(ctx context.Context, name string, n int) []string {
	f.t.Helper()
	return awaitQueue(ctx, f.t, f.cli, f.namespace+name+"/", n)
}

// awaitQueue waits until exactly n keys have the prefix, and returns them,
// oldest first. It looks whenever one of them changes.
func awaitQueue(ctx context.Context, t *testing.T, cli *clientv3.Client, prefix string, n int) []string {
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

// revision returns etcd's current revision: it grows with every write.
func revision(ctx context.Context, t *testing.T, cli *clientv3.Client) int64 {
	t.Helper()
	resp, err := cli.Get(ctx, "no such key")
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.Revision
}

func mustLock(ctx context.Context, t *testing.T, l *etcdlock.Locker, names ...string) *etcdlock.Lock {
	t.Helper()
	k, err := l.Lock(ctx, names...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustTry(ctx context.Context, t *testing.T, l *etcdlock.Locker, names ...string) *etcdlock.Lock {
	t.Helper()
	k, err := l.TryLock(ctx, names...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustUnlock(ctx context.Context, t *testing.T, k *etcdlock.Lock) {
	t.Helper()
	if err := k.Unlock(ctx); err != nil {
		t.Fatal(err)
	}
}

// attempt is a call of Lock under way.
type attempt struct {
	lock *etcdlock.Lock
	err  error
	done chan struct{}
}

func goLock(lock func() (*etcdlock.Lock, error)) *attempt {
	a := &attempt{done: make(chan struct{})}
	go func() {
		defer close(a.done)
		a.lock, a.err = lock()
	}()
	return a
}

// wait returns what the call returned.
func (a *attempt) wait(ctx context.Context, t *testing.T) (*etcdlock.Lock, error) {
	t.Helper()
	await(ctx, t, a.done, "a call of Lock to return")
	return a.lock, a.err
}

func await(ctx context.Context, t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatalf("waiting for %s: %v", what, ctx.Err())
	}
}

// room notices two who are inside at the same time.
type room struct{ inside, overlaps, visits atomic.Int64 }

func (r *room) visit(stay func()) {
	if r.inside.Add(1) != 1 {
		r.overlaps.Add(1)
	}
	stay()
	r.visits.Add(1)
	r.inside.Add(-1)
}

// interceptor stands between a client and etcd. The hook decides what becomes
// of a request; call sends it.
type interceptor struct {
	hook  atomic.Pointer[func(ctx context.Context, method string, req any, call func() error) error]
	count atomic.Int64
}

func (i *interceptor) set(hook func(ctx context.Context, method string, req any, call func() error) error) {
	i.hook.Store(&hook)
}

func (i *interceptor) client(t *testing.T, endpoints []string) *clientv3.Client {
	t.Helper()
	unary := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		i.count.Add(1)
		call := func() error { return invoker(ctx, method, req, reply, cc, opts...) }
		if hook := i.hook.Load(); hook != nil {
			return (*hook)(ctx, method[strings.LastIndex(method, "/")+1:], req, call)
		}
		return call()
	}
	stream := func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		i.count.Add(1)
		return streamer(ctx, desc, cc, method, opts...)
	}
	cli, err := clientv3.New(clientv3.Config{
		Endpoints:   endpoints,
		DialTimeout: 10 * time.Second,
		Logger:      zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(unary), grpc.WithChainStreamInterceptor(stream)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	return cli
}

// leaseOf returns the lease of the holder of name.
func leaseOf(ctx context.Context, t *testing.T, l *etcdlock.Locker, name string) clientv3.LeaseID {
	t.Helper()
	holders, err := l.Holders(ctx, name)
	if err != nil || len(holders) == 0 {
		t.Fatalf("holders of %q: %v, %v", name, holders, err)
	}
	return clientv3.LeaseID(holders[0].Lease)
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

// toPut repeats the put of an enqueueing.
func toPut(req any) clientv3.Op {
	for _, op := range req.(*pb.TxnRequest).GetSuccess() {
		if p := op.GetRequestPut(); p != nil {
			return clientv3.OpPut(string(p.Key), string(p.Value), clientv3.WithLease(clientv3.LeaseID(p.Lease)))
		}
	}
	panic("no put in the request")
}
