package etcdlock

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
	"github.com/holdfast-go/holdfast/internal/memetcd"
)

var errReplyLost = status.Error(codes.Unavailable, "the reply is lost")

// newTestLocker returns a Locker on an etcd in memory, whose clock the test can
// move forward, as it goes forward while the machine is suspended.
func newTestLocker(t *testing.T, opts *Options) (l *Locker, suspend func(time.Duration)) {
	t.Helper()
	l = lockerOn(t, newServer(t), opts, nil, nil)
	var slept atomic.Int64
	awake := session.NewClock()
	l.session = l.newSession(func() time.Duration { return awake() + time.Duration(slept.Load()) })
	return l, func(d time.Duration) { slept.Add(int64(d)) }
}

func newServer(t *testing.T) *memetcd.Server {
	t.Helper()
	srv := memetcd.New(nil)
	t.Cleanup(srv.Close)
	return srv
}

// lockerOn returns a Locker on a client of its own, whose requests go through
// intercept. Nothing has been asked yet when adjust changes the client. Either
// may be nil.
func lockerOn(t *testing.T, srv *memetcd.Server, opts *Options, intercept memetcd.Interceptor, adjust func(*clientv3.Client)) *Locker {
	t.Helper()
	cli := srv.NewClient(context.Background(), &memetcd.ClientOptions{Intercept: intercept})
	if adjust != nil {
		adjust(cli)
	}
	l, err := New(cli, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Error(err)
		}
		_ = cli.Close() // says only that its context is over
	})
	return l
}

// step tells the requests of the lock protocol apart.
func step(req any) string {
	switch req := req.(type) {
	case *pb.WatchRequest:
		return "Watch"
	case *pb.RangeRequest:
		if req.GetSortTarget() == pb.RangeRequest_CREATE && req.GetLimit() == 0 {
			return "View"
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

func eventually(t *testing.T, what string, is func() bool) {
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

// awaitQueue waits until n keys stand in the queue of the name.
func awaitQueue(t *testing.T, srv *memetcd.Server, name string, n int) {
	t.Helper()
	eventually(t, "the queue", func() bool {
		there := 0
		for _, key := range srv.Keys() {
			if strings.HasPrefix(key, defaultNamespace+name+"/") {
				there++
			}
		}
		return there == n
	})
}

// inLine waits until n goroutines stand in line for the name.
func inLine(t *testing.T, l *Locker, name string, n int) {
	t.Helper()
	eventually(t, "the line", func() bool {
		l.stations.mu.Lock()
		defer l.stations.mu.Unlock()
		there := 0
		if s := l.stations.byName[name]; s != nil {
			there = s.line.Len()
		}
		return there == n
	})
}

func lockNow(t *testing.T, l *Locker, name string) *Lock {
	t.Helper()
	k, err := l.Lock(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func unlockNow(t *testing.T, k *Lock) {
	t.Helper()
	if err := k.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
}
