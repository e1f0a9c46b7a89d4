package etcdtest

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-go/holdfast/internal/memetcd"
)

// ErrReplyLost is what a client is told that gets no answer.
var ErrReplyLost = status.Error(codes.Unavailable, "the reply is lost")

// AnswerLost serves a request and loses the answer.
func AnswerLost(serve func() error) error {
	if err := serve(); err != nil {
		return err
	}
	return ErrReplyLost
}

// NewServer returns an etcd in memory, until the test ends.
func NewServer(t testing.TB) *memetcd.Server {
	t.Helper()
	srv := memetcd.New(nil)
	t.Cleanup(srv.Close)
	return srv
}

// Step tells the requests of the lock protocol apart.
func Step(req any) string {
	switch req := req.(type) {
	case *pb.WatchRequest:
		return "Watch"
	case *pb.RangeRequest:
		if req.GetSortTarget() == pb.RangeRequest_CREATE && req.GetLimit() == 0 {
			return "Snapshot"
		}
	case *pb.TxnRequest:
		puts, deletes := false, false
		for _, op := range req.GetSuccess() {
			puts = puts || op.GetRequestPut() != nil
			deletes = deletes || op.GetRequestDeleteRange() != nil
		}
		switch {
		case puts && deletes:
			return "Exchange"
		case puts:
			return "Enqueue"
		case deletes:
			return "Release"
		}
		return "Check"
	}
	return ""
}

// Counted counts the requests of the protocol's steps that concern queues.
type Counted struct{ Checks, Watches, Exchanges atomic.Int64 }

// Intercept counts a request.
func (c *Counted) Intercept(_ context.Context, req any, serve func() error) error {
	switch Step(req) {
	case "Check":
		c.Checks.Add(1)
	case "Watch":
		c.Watches.Add(1)
	case "Exchange":
		c.Exchanges.Add(1)
	}
	return serve()
}

// Eventually waits until it is so.
func Eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatalf("waiting for %s", what)
		}
	}
}

// AwaitQueue waits until n keys stand in the queue whose keys begin with path.
func AwaitQueue(t testing.TB, srv *memetcd.Server, path string, n int) {
	t.Helper()
	Eventually(t, "the queue", func() bool {
		there := 0
		for _, key := range srv.Keys() {
			if strings.HasPrefix(key, path) {
				there++
			}
		}
		return there == n
	})
}
