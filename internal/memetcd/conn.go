package memetcd

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// conn is what one client has of the server. The three client types are views of
// it, because the services of etcd share method names with nothing but calls.
type conn struct {
	srv       *Server
	ctx       context.Context // ends when the client is closed
	intercept Interceptor
}

type (
	kvClient    conn
	leaseClient conn
	watchClient conn
)

func (c *conn) do(ctx context.Context, req any, next func() error) error {
	if err := ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	if c.ctx.Err() != nil {
		return status.Error(codes.Canceled, "grpc: the client connection is closing")
	}
	serve := func() error {
		if err := c.srv.refuse(); err != nil {
			return err
		}
		return next()
	}
	if c.intercept == nil {
		return serve()
	}
	return c.intercept(ctx, req, serve)
}

func call[Req, Resp any](ctx context.Context, c *conn, req *Req, serve func(*Req) (*Resp, error)) (*Resp, error) {
	var resp *Resp
	err := c.do(ctx, req, func() (err error) {
		resp, err = serve(req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func (c *kvClient) Range(ctx context.Context, r *pb.RangeRequest, _ ...grpc.CallOption) (*pb.RangeResponse, error) {
	return call(ctx, (*conn)(c), r, c.srv.rangeCall)
}

func (c *kvClient) RangeStream(context.Context, *pb.RangeRequest, ...grpc.CallOption) (grpc.ServerStreamingClient[pb.RangeStreamResponse], error) {
	return nil, status.Error(codes.Unimplemented, "memetcd: no range streams")
}

func (c *kvClient) Put(ctx context.Context, r *pb.PutRequest, _ ...grpc.CallOption) (*pb.PutResponse, error) {
	return call(ctx, (*conn)(c), r, c.srv.putCall)
}

func (c *kvClient) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest, _ ...grpc.CallOption) (*pb.DeleteRangeResponse, error) {
	return call(ctx, (*conn)(c), r, c.srv.deleteCall)
}

func (c *kvClient) Txn(ctx context.Context, r *pb.TxnRequest, _ ...grpc.CallOption) (*pb.TxnResponse, error) {
	return call(ctx, (*conn)(c), r, c.srv.txnCall)
}

func (c *kvClient) Compact(ctx context.Context, r *pb.CompactionRequest, _ ...grpc.CallOption) (*pb.CompactionResponse, error) {
	return call(ctx, (*conn)(c), r, c.srv.compactCall)
}

func (c *leaseClient) LeaseGrant(ctx context.Context, r *pb.LeaseGrantRequest, _ ...grpc.CallOption) (*pb.LeaseGrantResponse, error) {
	return call(ctx, (*conn)(c), r, c.srv.grantCall)
}

func (c *leaseClient) LeaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest, _ ...grpc.CallOption) (*pb.LeaseRevokeResponse, error) {
	return call(ctx, (*conn)(c), r, c.srv.revokeCall)
}

func (c *leaseClient) LeaseTimeToLive(ctx context.Context, r *pb.LeaseTimeToLiveRequest, _ ...grpc.CallOption) (*pb.LeaseTimeToLiveResponse, error) {
	return call(ctx, (*conn)(c), r, c.srv.timeToLiveCall)
}

func (c *leaseClient) LeaseLeases(ctx context.Context, r *pb.LeaseLeasesRequest, _ ...grpc.CallOption) (*pb.LeaseLeasesResponse, error) {
	return call(ctx, (*conn)(c), r, func(*pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error) {
		return c.srv.leasesCall()
	})
}

func (c *leaseClient) LeaseKeepAlive(ctx context.Context, _ ...grpc.CallOption) (grpc.BidiStreamingClient[pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse], error) {
	st := newStream[pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse](ctx, (*conn)(c))
	st.handle = func(r *pb.LeaseKeepAliveRequest) error {
		return (*conn)(c).do(st.ctx, r, func() error {
			resp, err := c.srv.keepAlive(r.ID)
			if err == nil {
				st.push(resp)
			}
			return err
		})
	}
	if err := st.start(); err != nil {
		return nil, err
	}
	return st, nil
}

func (c *watchClient) Watch(ctx context.Context, _ ...grpc.CallOption) (grpc.BidiStreamingClient[pb.WatchRequest, pb.WatchResponse], error) {
	st := newStream[pb.WatchRequest, pb.WatchResponse](ctx, (*conn)(c))
	st.onEnd = func() { c.srv.dropWatches(st) }
	st.handle = func(r *pb.WatchRequest) error {
		return (*conn)(c).do(st.ctx, r, func() error { return c.srv.watchRequest(st, r) })
	}
	if err := st.start(); err != nil {
		return nil, err
	}
	return st, nil
}
