package lock_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
)

// newsThief takes one message from the watches of a client and puts another in
// its place, so that what it told is told by nobody.
type newsThief struct {
	steal  func(*pb.WatchResponse) bool // which; it may change the message
	armed  atomic.Bool
	stolen atomic.Int64
}

func (n *newsThief) client(t *testing.T, endpoints []string) *clientv3.Client {
	t.Helper()
	stream := func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		cs, err := streamer(ctx, desc, cc, method, opts...)
		return robbedStream{cs, n}, err
	}
	cli, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints, DialTimeout: 10 * time.Second, Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithChainStreamInterceptor(stream)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cli.Close() })
	return cli
}

type robbedStream struct {
	grpc.ClientStream
	n *newsThief
}

func (s robbedStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if resp, ok := m.(*pb.WatchResponse); ok && err == nil && s.n.armed.Load() && s.n.steal(resp) {
		s.n.armed.Store(false)
		s.n.stolen.Add(1)
	}
	return err
}

// endings are the ways in which an etcd server ends a watch.
var endings = map[string]func(*pb.WatchResponse){
	"Compacted": func(resp *pb.WatchResponse) { resp.Canceled, resp.CompactRevision = true, resp.Header.Revision },
	"NoLeader":  func(resp *pb.WatchResponse) { resp.Canceled, resp.CancelReason = true, "etcdserver: no leader" },
	"Cancelled": func(resp *pb.WatchResponse) { resp.Canceled, resp.CancelReason = true, "no more watching" },
}

// eachEnding runs the test once for each way in which the watch of a client
// ends instead of telling of a key that was put, or deleted. The test arms the
// thief when the next such message is the one to lose.
func eachEnding(t *testing.T, what mvccpb.Event_EventType, test func(ctx context.Context, t *testing.T, f *locks.Fleet, robbed *clientv3.Client, n *newsThief)) {
	t.Helper()
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &newsThief{steal: func(resp *pb.WatchResponse) bool {
				if !slices.ContainsFunc(resp.Events, func(ev *mvccpb.Event) bool { return ev.Type == what }) {
					return false
				}
				resp.Events = nil
				end(resp)
				return true
			}}
			f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
			test(check.Bounded(t, time.Minute), t, f, n.client(t, f.Endpoints), n)
			if n.stolen.Load() == 0 {
				t.Error("no message was lost: the test proves nothing")
			}
		})
	}
}

// The very message that tells a waiter of its turn is lost, because the watch
// ends instead. The waiter finds out all the same.
func TestLockWatch_EndsForAWaiter(t *testing.T) {
	t.Parallel()
	eachEnding(t, mvccpb.Event_DELETE, func(ctx context.Context, t *testing.T, f *locks.Fleet, robbed *clientv3.Client, n *newsThief) {
		held := locks.MustLock(ctx, t, f.Locker(nil), "n")
		l := f.LockerOn(robbed, &etcdlock.Options{TTL: time.Hour})
		locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "warm"))
		f.AwaitQueue(ctx, "warm", 0)
		waiter := goLock(func() (*etcdlock.Lock, error) { return l.Lock(ctx, "n") })
		f.AwaitQueue(ctx, "n", 2)
		pauseFor(ctx, 200*time.Millisecond) // nothing tells when it watches; both ways must do
		n.armed.Store(true)
		locks.MustUnlock(ctx, t, held)
		k, err := waiter.wait(ctx, t)
		if err != nil {
			t.Fatal(err)
		}
		locks.MustUnlock(ctx, t, k)
	})
}

// The very message that tells a lingering hold of somebody who waits is lost
// likewise. With an hour to linger, nothing else would let the other in.
func TestLockWatch_EndsForALingerer(t *testing.T) {
	t.Parallel()
	eachEnding(t, mvccpb.Event_PUT, func(ctx context.Context, t *testing.T, f *locks.Fleet, robbed *clientv3.Client, n *newsThief) {
		l := f.LockerOn(robbed, &etcdlock.Options{TTL: time.Hour, Linger: time.Hour})
		locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "n"))
		pauseFor(ctx, 200*time.Millisecond) // nothing tells when it watches
		n.armed.Store(true)
		locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, f.Locker(nil), "n"))
	})
}

// The message that tells a holder of the end of its key is lost likewise.
func TestLockWatch_EndsForAHolder(t *testing.T) {
	t.Parallel()
	eachEnding(t, mvccpb.Event_DELETE, func(ctx context.Context, t *testing.T, f *locks.Fleet, robbed *clientv3.Client, n *newsThief) {
		k := locks.MustLock(ctx, t, f.LockerOn(robbed, &etcdlock.Options{TTL: time.Hour}), "n")
		pauseFor(ctx, 400*time.Millisecond) // nothing tells when it watches
		n.armed.Store(true)
		if _, err := f.Cli.Delete(ctx, f.AwaitQueue(ctx, "n", 1)[0]); err != nil {
			t.Fatal(err)
		}
		wantLost(ctx, t, k)
	})
}
