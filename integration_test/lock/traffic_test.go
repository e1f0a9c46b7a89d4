package lock_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

// traffic counts what a client sends to etcd: requests, and messages on
// streams, such as the creation of a watch.
type traffic struct{ sent atomic.Int64 }

func (c *traffic) client(t *testing.T, endpoints []string) *clientv3.Client {
	t.Helper()
	unary := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		c.sent.Add(1)
		return invoker(ctx, method, req, reply, cc, opts...)
	}
	stream := func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		s, err := streamer(ctx, desc, cc, method, opts...)
		return countedStream{s, c}, err
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

type countedStream struct {
	grpc.ClientStream
	c *traffic
}

func (s countedStream) SendMsg(m any) error {
	s.c.sent.Add(1)
	return s.ClientStream.SendMsg(m)
}

// settle waits until nothing is sent any more: until the watch of a name that
// was just taken is there.
func (c *traffic) settle(ctx context.Context, t *testing.T) {
	t.Helper()
	check.Eventually(ctx, t, "the traffic to come to rest", func() bool {
		before := c.sent.Load()
		pauseFor(ctx, 300*time.Millisecond)
		return c.sent.Load() == before
	})
}

func pauseFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// What a lock costs is counted, not believed: round trips by the client, writes
// by etcd's revision.
func TestLockTraffic(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.OwnEtcd(t).Endpoints()) // alone: every write is ours
	var net traffic
	// The next keepalive is 20 minutes away.
	l := f.LockerOn(net.client(t, f.Endpoints), &etcdlock.Options{TTL: time.Hour, Linger: time.Hour})
	strict := f.LockerOn(net.client(t, f.Endpoints), &etcdlock.Options{TTL: time.Hour, Linger: etcdlock.NoLinger})
	for _, l := range []*etcdlock.Locker{l, strict} {
		locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "warm"+servers.UniqueName("")))
	}
	net.settle(ctx, t)
	cost := func(work func()) (requests, writes int64) {
		r, w := net.sent.Load(), locks.Revision(ctx, t, f.Cli)
		work()
		return net.sent.Load() - r, locks.Revision(ctx, t, f.Cli) - w
	}

	r, w := cost(func() { locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, strict, "n")) })
	if r != 2 || w != 2 {
		t.Errorf("a lock that nobody else wants costs %d requests and %d writes, want 2 and 2", r, w)
	}
	r, w = cost(func() { locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "n")) })
	if w != 1 {
		t.Errorf("a lock that lingers then costs %d requests and %d writes, want 1 write", r, w)
	}
	net.settle(ctx, t) // its watch is there now
	r, w = cost(func() {
		for range 100 {
			locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "n"))
			k, err := l.TryLock(ctx, "n")
			if err != nil {
				t.Fatal(err)
			}
			locks.MustUnlock(ctx, t, k)
		}
	})
	if r != 0 || w != 0 {
		t.Errorf("taking it again while it lingers costs %d requests and %d writes", r, w)
	}
	held := locks.MustLock(ctx, t, l, "n")
	r, w = cost(func() {
		calls := make([]*attempt, 100)
		for i := range calls {
			calls[i] = goLock(func() (*etcdlock.Lock, error) {
				k, err := l.Lock(ctx, "n")
				if err == nil {
					err = k.Unlock(ctx)
				}
				return k, err
			})
		}
		locks.MustUnlock(ctx, t, held)
		for _, a := range calls {
			if _, err := a.wait(ctx, t); err != nil {
				t.Error(err)
			}
		}
	})
	if r != 0 || w != 0 {
		t.Errorf("handing it on in the process costs %d requests and %d writes", r, w)
	}
	held = locks.MustLock(ctx, t, l, "n")
	try := func() {
		if _, err := strict.TryLock(ctx, "n"); !errors.Is(err, etcdlock.ErrHeld) {
			t.Error(err)
		}
	}
	if _, w = cost(try); w != 3 {
		t.Errorf("the first TryLock of a busy name costs %d writes, want 3: a question, its answer, and no question any more", w)
	}
	net.settle(ctx, t)
	r, w = cost(func() {
		for range 10 {
			try()
		}
	})
	if r != 10 || w != 0 {
		t.Errorf("10 TryLocks more cost %d requests and %d writes, want 10 and 0", r, w)
	}
	locks.MustUnlock(ctx, t, held)
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "n"))
	net.settle(ctx, t)
	if _, w = cost(func() { locks.MustUnlock(ctx, t, mustTry(ctx, t, strict, "n")) }); w != 3 {
		t.Errorf("taking a lock that lingers elsewhere by TryLock costs %d writes, want 3: two keys that go, one that comes", w)
	}
}
