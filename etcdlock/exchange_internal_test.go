package etcdlock

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// A process whose goroutines go on wanting a name that another process waits
// for asks etcd once for each time it lets the other in, and in order.
func TestExchange_InPlaceOfTwoRequests(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var exchanges, releases, puts atomic.Int64
	l := lockerOn(t, srv, &Options{MaxHold: time.Nanosecond, Linger: NoLinger}, func(_ context.Context, req any, serve func() error) error {
		if txn, ok := req.(*pb.TxnRequest); ok {
			switch {
			case step(req) == "Exchange":
				exchanges.Add(1)
			case slices.ContainsFunc(txn.Success, func(op *pb.RequestOp) bool { return op.GetRequestPut() != nil }):
				puts.Add(1)
			case slices.ContainsFunc(txn.Success, func(op *pb.RequestOp) bool { return op.GetRequestDeleteRange() != nil }):
				releases.Add(1)
			}
		}
		return serve()
	}, nil)
	other := lockerOn(t, srv, nil, nil, nil)
	const rounds = 10
	next := make(chan *Lock)
	ours, last := lockNow(t, l, "n"), int64(0)
	for range rounds {
		theirs := make(chan *Lock)
		go func() { theirs <- lockNow(t, other, "n") }()
		awaitQueue(t, srv, "n", 2)
		wanted(t, l, "n")
		go func() { next <- lockNow(t, l, "n") }()
		inLine(t, l, "n", 1)
		unlockNow(t, ours)
		k := <-theirs
		if k.Token() <= last {
			t.Errorf("token %d after %d", k.Token(), last)
		}
		awaitQueue(t, srv, "n", 2)
		select {
		case <-next:
			t.Fatal("both hold the name")
		default:
		}
		unlockNow(t, k)
		ours = <-next
		if last = ours.Token(); last <= k.Token() {
			t.Errorf("token %d after %d", last, k.Token())
		}
	}
	unlockNow(t, ours)
	awaitQueue(t, srv, "n", 0)
	if exchanges.Load() != rounds || puts.Load() != 1 || releases.Load() != 1 {
		t.Errorf("%d exchanges, %d enqueueings, %d releases in %d rounds", exchanges.Load(), puts.Load(), releases.Load(), rounds)
	}
}
