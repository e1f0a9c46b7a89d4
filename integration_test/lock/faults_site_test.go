package lock_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
	"github.com/holdfast-go/holdfast/internal/memetcd"
)

// faultHook decides what becomes of a request. Returning an error without call
// is a lost request, with call a lost answer; on a stream (keepalive, watch)
// either breaks the stream.
type faultHook func(ctx context.Context, method string, req any, call func() error) error

// faultSite is an etcd whose clients can be given a faulty network.
type faultSite struct {
	name   string
	client func(t *testing.T, hook faultHook) *clientv3.Client
}

// faultSites are the etcd in memory, which is fast, and a real one.
func faultSites(t *testing.T) []faultSite {
	t.Helper()
	endpoints := embedded.EtcdEndpoints(t)
	srv := memetcd.New(nil)
	t.Cleanup(srv.Close)
	return []faultSite{
		{"Memory", func(t *testing.T, hook faultHook) *clientv3.Client { //nolint:thelper // a constructor
			return memClient(t, srv, hook)
		}},
		{"Etcd", func(t *testing.T, hook faultHook) *clientv3.Client { //nolint:thelper // a constructor
			return tappedClient(t, endpoints, hook)
		}},
	}
}

// fleet returns a namespace on the site, which has to be empty in the end.
func (s faultSite) fleet(t *testing.T) *locks.Fleet {
	t.Helper()
	f := &locks.Fleet{T: t, Namespace: servers.UniqueName("test-") + "/", Cli: s.client(t, nil)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		locks.AwaitQueue(ctx, t, f.Cli, f.Namespace, 0)
	})
	return f
}

func memClient(t *testing.T, srv *memetcd.Server, hook faultHook) *clientv3.Client {
	t.Helper()
	var opts memetcd.ClientOptions
	if hook != nil {
		opts.Intercept = func(ctx context.Context, req any, next func() error) error {
			method := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", req), "*etcdserverpb."), "Request")
			return hook(ctx, method, req, next)
		}
	}
	cli := srv.NewClient(context.Background(), &opts)
	t.Cleanup(func() { _ = cli.Close() }) // says only that its context is over
	return cli
}

// tappedClient returns a client of a real etcd whose every request, those on
// streams too, goes through the hook.
func tappedClient(t *testing.T, endpoints []string, hook faultHook) *clientv3.Client {
	t.Helper()
	cfg := clientv3.Config{Endpoints: endpoints, DialTimeout: 10 * time.Second, Logger: zap.NewNop()}
	if hook != nil {
		unary := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return hook(ctx, lastPart(method), req, func() error { return invoker(ctx, method, req, reply, cc, opts...) })
		}
		stream := func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			ctx, cancel := context.WithCancel(ctx)
			cs, err := streamer(ctx, desc, cc, method, opts...)
			if err != nil {
				cancel()
				return nil, err
			}
			return &tappedStream{ClientStream: cs, method: lastPart(method), hook: hook, cancel: cancel}, nil
		}
		cfg.DialOptions = []grpc.DialOption{grpc.WithChainUnaryInterceptor(unary), grpc.WithChainStreamInterceptor(stream)}
	}
	cli, err := clientv3.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cli.Close() })
	return cli
}

func lastPart(method string) string { return method[strings.LastIndex(method, "/")+1:] }

// tappedStream breaks, as on a lost connection, when the hook fails a request.
type tappedStream struct {
	grpc.ClientStream
	method string
	hook   faultHook
	cancel context.CancelFunc
	broken atomic.Bool
}

func (s *tappedStream) SendMsg(m any) error {
	err := s.hook(s.Context(), s.method, m, func() error { return s.ClientStream.SendMsg(m) })
	if err != nil {
		s.broken.Store(true)
		s.cancel()
	}
	return err
}

func (s *tappedStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if s.broken.Load() {
		return etcdtest.ErrReplyLost
	}
	if err != nil {
		s.cancel()
	}
	return err
}

// resend sends a transaction that was kept back, as the network does with one
// that it delivers late.
func resend(ctx context.Context, cli *clientv3.Client, req any) error {
	resp, err := cli.Txn(ctx).If(compares(req)...).Then(toPut(req)).Commit()
	if err == nil && !resp.Succeeded {
		err = errors.New("it lands without effect: the test proves nothing")
	}
	return err
}

func compares(req any) []clientv3.Cmp {
	var cmps []clientv3.Cmp
	signs := map[pb.Compare_CompareResult]string{pb.Compare_EQUAL: "=", pb.Compare_LESS: "<", pb.Compare_GREATER: ">"}
	for _, c := range req.(*pb.TxnRequest).GetCompare() {
		cmp := clientv3.Compare(clientv3.CreateRevision(string(c.Key)), signs[c.Result], c.GetCreateRevision())
		if len(c.RangeEnd) > 0 {
			cmp = cmp.WithRange(string(c.RangeEnd))
		}
		cmps = append(cmps, cmp)
	}
	return cmps
}
