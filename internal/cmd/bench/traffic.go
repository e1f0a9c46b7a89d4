package main

import (
	"context"
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/grpc"
)

// traffic counts what a client sends to etcd, below the client's own retries.
type traffic struct{ calls, writes, watches, keepalives atomic.Int64 }

// tally is what traffic has counted at one time.
type tally struct {
	calls      int64 // requests with one answer each
	writes     int64 // those of them that go through raft
	watches    int64 // watches opened
	keepalives int64 // keepalive requests, which go to the leader and not through raft
}

func (t *traffic) now() tally {
	return tally{t.calls.Load(), t.writes.Load(), t.watches.Load(), t.keepalives.Load()}
}

func (t tally) since(before tally) tally {
	return tally{t.calls - before.calls, t.writes - before.writes, t.watches - before.watches, t.keepalives - before.keepalives}
}

// roundTrips leaves keepalives out: nobody waits for them.
func (t tally) roundTrips() int64 { return t.calls + t.watches }

func (t *traffic) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	t.calls.Add(1)
	if isWrite(req) {
		t.writes.Add(1)
	}
	return invoker(ctx, method, req, reply, cc, opts...)
}

func (t *traffic) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := streamer(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, err
	}
	return countedStream{s, t}, nil
}

type countedStream struct {
	grpc.ClientStream
	sent *traffic
}

func (s countedStream) SendMsg(m any) error {
	switch m := m.(type) {
	case *pb.WatchRequest:
		if m.GetCreateRequest() != nil {
			s.sent.watches.Add(1)
		}
	case *pb.LeaseKeepAliveRequest:
		s.sent.keepalives.Add(1)
	}
	return s.ClientStream.SendMsg(m)
}

// isWrite tells what the server proposes to raft. It judges a transaction, as
// the server does, by both its branches.
func isWrite(req any) bool {
	switch req := req.(type) {
	case *pb.PutRequest, *pb.DeleteRangeRequest, *pb.LeaseGrantRequest, *pb.LeaseRevokeRequest,
		*v3lockpb.LockRequest, *v3lockpb.UnlockRequest:
		return true
	case *pb.TxnRequest:
		return writes(req.GetSuccess()) || writes(req.GetFailure())
	}
	return false
}

func writes(ops []*pb.RequestOp) bool {
	for _, op := range ops {
		if op.GetRequestRange() == nil && (op.GetRequestTxn() == nil || isWrite(op.GetRequestTxn())) {
			return true
		}
	}
	return false
}
