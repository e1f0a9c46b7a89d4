package lock_test

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
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
)

func mustTry(ctx context.Context, t *testing.T, l *etcdlock.Locker, names ...string) *etcdlock.Lock {
	t.Helper()
	k, err := l.TryLock(ctx, names...)
	if err != nil {
		t.Fatal(err)
	}
	return k
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
	check.Await(ctx, t, a.done, "a call of Lock to return")
	return a.lock, a.err
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
