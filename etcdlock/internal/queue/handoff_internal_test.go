package queue

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// What is known after an exchange, whatever became of its requests and of the
// keys: whether the release did what it should, and where the next node stands.
func TestHandOff(t *testing.T) {
	t.Parallel()
	type outcome struct {
		released, queued error // nil, or what they must match
		pred             bool  // somebody is, or may be, before the next node
		keys             int   // in the queue when all is over, the next node's included
	}
	refused := status.Error(codes.PermissionDenied, "not for you")
	for name, c := range map[string]struct {
		other bool // another process stands behind the node
		// first is what becomes of the first request.
		first func(x *exchanging, serve func() error) error
		// later is the same for all others; nil lets them through.
		later func(x *exchanging, serve func() error) error
		outcome
	}{
		"Answered":              {false, getsThrough, nil, outcome{keys: 1}},
		"AnsweredBehindAnother": {true, getsThrough, nil, outcome{pred: true, keys: 2}},
		"RequestLost":           {true, lostRequest, nil, outcome{pred: true, keys: 2}},
		"RequestLost_Alone":     {false, lostRequest, nil, outcome{keys: 1}},
		"AnswerLost":            {true, lostAnswer, nil, outcome{pred: true, keys: 2}},
		"AnswersLost": {true, lostAnswer, func(x *exchanging, serve func() error) error {
			if x.sent.Load() < 4 {
				return lostAnswer(x, serve)
			}
			return serve()
		}, outcome{pred: true, keys: 2}},
		"AnswerLost_NextDeleted": {true, func(x *exchanging, serve func() error) error {
			defer x.remove(x.next.key)
			return lostAnswer(x, serve)
		}, nil, outcome{queued: ErrRequeue, keys: 1}},
		"KeyDeleted": {true, func(x *exchanging, serve func() error) error {
			x.remove(x.n.key)
			return serve()
		}, nil, outcome{released: session.ErrLost, queued: ErrRequeue, keys: 1}},
		"LeaseRevoked": {true, func(x *exchanging, serve func() error) error {
			x.try(x.sp.Client.Revoke(context.Background(), x.n.lease.ID))
			return serve()
		}, nil, outcome{released: session.ErrLost, queued: ErrRequeue, keys: 1}},
		"Refused": {
			true, func(*exchanging, func() error) error { return refused }, nil,
			outcome{released: session.ErrRefused, queued: refused, keys: 2},
		},
		"AnswerLost_ThenRefused": {
			true, lostAnswer, func(*exchanging, func() error) error { return refused },
			outcome{released: session.ErrRefused, queued: refused, keys: 1},
		},
		"LeaseNotFound": {
			true, func(*exchanging, func() error) error { return rpctypes.ErrGRPCLeaseNotFound }, nil,
			outcome{released: session.ErrLost, queued: ErrRequeue, keys: 1},
		},
		"LeaseEnds": {true, lostAnswer, func(x *exchanging, serve func() error) error {
			x.n.lease.Lose(errors.New("the test says so"))
			return lostAnswer(x, serve)
		}, outcome{released: session.ErrUnavailable, queued: ErrRequeue, keys: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			x := &exchanging{t: t}
			var told atomic.Int64
			x.sp = spaceOn(t, srv, func(_ context.Context, req any, serve func() error) error {
				switch {
				case step(req) != "Exchange":
					return serve()
				case x.sent.Add(1) == 1:
					return c.first(x, serve)
				case c.later != nil:
					return c.later(x, serve)
				}
				return serve()
			}, nil)
			x.sp.Unknown = func(name, write string, cause error) {
				if told.Add(1); name != "n" || write != "exchange" || !errors.Is(cause, errReplyLost) {
					t.Errorf("told of %s of %s: %v", write, name, cause)
				}
			}
			q := queueOf(t, x.sp)
			x.n = enqueued(t, q)
			if c.other {
				foreign(t, x.sp, "another")
			}
			x.next = q.newNode(x.n.lease)
			answered := 0
			_, released, queued := x.n.handOff(x.next, "", func() {
				if answered++; x.sent.Load() != 1 {
					t.Errorf("told of an answer after %d attempts", x.sent.Load())
				}
			})
			x.n.End()
			if told.Load() != x.lost.Load() {
				t.Errorf("%d are told to be without an answer, %d were", told.Load(), x.lost.Load())
			}
			if answered != 1 {
				t.Errorf("told of %d answers", answered)
			}
			if !errors.Is(released, c.released) || !errors.Is(queued, c.queued) {
				t.Errorf("released: %v, queued: %v", released, queued)
			}
			awaitQueue(t, srv, c.keys)
			if c.queued != nil {
				return
			}
			if x.next.is(owns) == c.pred {
				t.Errorf("before the next node is %q", x.next.pred)
			}
			resp, err := x.sp.Client.Get(t.Context(), x.next.key)
			if err != nil {
				t.Fatal(err)
			}
			if len(resp.Kvs) != 1 || resp.Kvs[0].CreateRevision != x.next.rev {
				t.Errorf("its key is %v, its revision %d", resp.Kvs, x.next.rev)
			}
			if c.pred { // the node it waits for
				waits := make(chan error)
				go func() { waits <- x.next.Await(t.Context()) }()
				select {
				case err := <-waits:
					t.Fatalf("it did not wait for who is before it: %v", err)
				default:
				}
				x.remove(x.sp.Path("n") + "another")
				if err := <-waits; err != nil {
					t.Error(err)
				}
			}
			x.next.Drop()
			awaitQueue(t, srv, 0)
		})
	}
}

// exchanging is an exchange under way.
type exchanging struct {
	t       *testing.T
	sp      *Space
	n, next *Node
	sent    atomic.Int64
	lost    atomic.Int64 // how many of them without an answer
}

func (x *exchanging) try(_ any, err error) {
	if err != nil {
		x.t.Error(err)
	}
}

func (x *exchanging) remove(key string) { x.try(x.sp.Client.Delete(context.Background(), key)) }

func getsThrough(_ *exchanging, serve func() error) error { return serve() }

func lostRequest(x *exchanging, _ func() error) error {
	x.lost.Add(1)
	return errReplyLost
}

func lostAnswer(x *exchanging, serve func() error) error {
	if err := serve(); err != nil {
		return err
	}
	x.lost.Add(1)
	return errReplyLost
}

// A sending of the enqueueing that lands when its node's place has long been
// exchanged puts a key that nobody wants. It goes all the same, after the ten
// seconds for which a request can be under way.
func TestHandOff_LateEnqueueing(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(x *exchanging, serve func() error) error{
		"Answered": getsThrough, "AnswerLost": lostAnswer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			x := &exchanging{t: t}
			sp := spaceOn(t, srv, func(_ context.Context, req any, serve func() error) error {
				if step(req) == "Exchange" && x.sent.Add(1) == 1 {
					return first(x, serve)
				}
				return serve()
			}, nil)
			n := enqueued(t, queueOf(t, sp))
			n.late = true // as if its first sending had had no answer
			next, released, queued := n.HandOff(func() {})
			if released != nil || queued != nil {
				t.Fatal(released, queued)
			}
			n.End()
			if _, err := sp.Client.Put(t.Context(), n.key, "", clientv3.WithLease(n.lease.ID)); err != nil {
				t.Fatal(err)
			}
			awaitQueue(t, srv, 1)
			next.Drop()
			awaitQueue(t, srv, 0)
		})
	}
}
