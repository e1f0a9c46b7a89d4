package etcdlock

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What is known after an exchange, whatever became of its requests and of the
// keys: whether the release did what it should, and where the next entry stands.
func TestExchange(t *testing.T) {
	t.Parallel()
	type outcome struct {
		released, queued error // nil, or what they must match
		pred             bool  // somebody is, or may be, before the next entry
		keys             int   // in the queue when all is over, the next entry's included
	}
	refused := status.Error(codes.PermissionDenied, "not for you")
	for name, c := range map[string]struct {
		other bool // another process stands behind the entry
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
		}, nil, outcome{queued: errRequeue, keys: 1}},
		"KeyDeleted": {true, func(x *exchanging, serve func() error) error {
			x.remove(x.e.key)
			return serve()
		}, nil, outcome{released: ErrLost, queued: errRequeue, keys: 1}},
		"LeaseRevoked": {true, func(x *exchanging, serve func() error) error {
			x.try(x.l.cli.Revoke(context.Background(), x.e.lease.ID))
			return serve()
		}, nil, outcome{released: ErrLost, queued: errRequeue, keys: 1}},
		"Refused": {
			true, func(*exchanging, func() error) error { return refused }, nil,
			outcome{released: ErrRefused, queued: refused, keys: 2},
		},
		"AnswerLost_ThenRefused": {
			true, lostAnswer, func(*exchanging, func() error) error { return refused },
			outcome{released: ErrRefused, queued: refused, keys: 1},
		},
		"LeaseNotFound": {
			true, func(*exchanging, func() error) error { return rpctypes.ErrGRPCLeaseNotFound }, nil,
			outcome{released: ErrLost, queued: errRequeue, keys: 1},
		},
		"LeaseEnds": {true, lostAnswer, func(x *exchanging, serve func() error) error {
			x.e.lease.Lose(errors.New("the test says so"))
			return lostAnswer(x, serve)
		}, outcome{released: ErrUnavailable, queued: errRequeue, keys: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			x := &exchanging{t: t}
			var told atomic.Int64
			hooks := &Hooks{Unknown: func(name, write string, cause error) {
				if told.Add(1); name != "n" || write != "exchange" || !errors.Is(cause, errReplyLost) {
					t.Errorf("told of %s of %s: %v", write, name, cause)
				}
			}}
			x.l = lockerOn(t, srv, &Options{Hooks: hooks}, func(_ context.Context, req any, serve func() error) error {
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
			var err error
			if x.e, err = x.l.enterQueue(t.Context(), "n"); err != nil {
				t.Fatal(err)
			}
			if c.other {
				if _, err := x.l.cli.Put(t.Context(), x.l.prefix("n")+"another", ""); err != nil {
					t.Fatal(err)
				}
			}
			x.next = x.l.newEntry("n", x.e.lease)
			answered := 0
			_, released, queued := x.e.exchange(x.next, "", func() {
				if answered++; x.sent.Load() != 1 {
					t.Errorf("told of an answer after %d attempts", x.sent.Load())
				}
			})
			x.e.end()
			if told.Load() != x.lost.Load() {
				t.Errorf("%d are told to be without an answer, %d were", told.Load(), x.lost.Load())
			}
			if answered != 1 {
				t.Errorf("told of %d answers", answered)
			}
			if !errors.Is(released, c.released) || !errors.Is(queued, c.queued) {
				t.Errorf("released: %v, queued: %v", released, queued)
			}
			awaitQueue(t, srv, "n", c.keys)
			if c.queued != nil {
				return
			}
			if (x.next.pred != "") != c.pred {
				t.Errorf("before the next entry is %q", x.next.pred)
			}
			resp, err := x.l.cli.Get(t.Context(), x.next.key)
			if err != nil {
				t.Fatal(err)
			}
			if len(resp.Kvs) != 1 || resp.Kvs[0].CreateRevision != x.next.rev {
				t.Errorf("its key is %v, its revision %d", resp.Kvs, x.next.rev)
			}
			if c.pred { // whom it waits for
				waits := make(chan error)
				s := &station{l: x.l, name: "n"}
				go func() { waits <- s.awaitInView(t.Context(), x.next) }()
				select {
				case err := <-waits:
					t.Fatalf("it did not wait for who is before it: %v", err)
				default:
				}
				x.remove(x.l.prefix("n") + "another")
				if err := <-waits; err != nil {
					t.Error(err)
				}
				x.l.stations.mu.Lock()
				s.lookAway()
				x.l.stations.mu.Unlock()
			}
			x.next.spawnRelease()
			awaitQueue(t, srv, "n", 0)
		})
	}
}

// exchanging is an exchange under way.
type exchanging struct {
	t       *testing.T
	l       *Locker
	e, next *entry
	sent    atomic.Int64
	lost    atomic.Int64 // how many of them without an answer
}

func (x *exchanging) try(_ any, err error) {
	if err != nil {
		x.t.Error(err)
	}
}

func (x *exchanging) remove(key string) { x.try(x.l.cli.Delete(context.Background(), key)) }

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

// A process whose goroutines go on wanting a name that another process waits
// for asks etcd once for each time it lets the other in, and in order.
func TestExchange_InPlaceOfTwoRequests(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var exchanges, releases, puts atomic.Int64
	l := lockerOn(t, srv, &Options{MaxTurns: 1, MaxHold: time.Hour, Linger: NoLinger}, func(_ context.Context, req any, serve func() error) error {
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
		l.stations.mu.Lock()
		l.stations.byName["n"].hold.want() // as its view tells it, sooner or later
		l.stations.mu.Unlock()
		go func() { next <- lockNow(t, l, "n") }()
		inLine(t, l, "n", 1)
		// It has had its turn: another one of its hold would be the first since.
		l.stations.mu.Lock()
		l.stations.byName["n"].hold.before = -1
		l.stations.mu.Unlock()
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

// Those in line for a hold whose lease is over take their place on a new lease:
// what is put on the old one goes with it.
func TestExchange_NotOnADeadLease(t *testing.T) {
	t.Parallel()
	var unknown atomic.Int64
	l, suspend := newTestLocker(t, &Options{Hooks: &Hooks{Unknown: func(string, string, error) { unknown.Add(1) }}})
	first := lockNow(t, l, "n")
	old := first.held.parts[0].turn.e.lease
	next := make(chan *Lock)
	go func() { next <- lockNow(t, l, "n") }()
	inLine(t, l, "n", 1)
	l.stations.mu.Lock()
	s := l.stations.byName["n"]
	s.turn = nil
	h := s.detach()
	s.leaving--
	l.stations.mu.Unlock()
	suspend(time.Hour) // and nobody has looked at the clock
	if s.succeed(h) != nil {
		t.Error("its place is exchanged")
	}
	second := <-next
	if e := second.held.parts[0].turn.e; e.lease == old {
		t.Error("it is held on a lease that is over")
	}
	unlockNow(t, second)
	_ = first.Unlock(t.Context()) // detached by hand
	if unknown.Load() != 0 {
		t.Errorf("%d requests are told to be without an answer", unknown.Load())
	}
}

// A sending of the enqueueing that lands when its entry's place has long been
// exchanged puts a key that nobody wants. It goes all the same, after the ten
// seconds for which a request can be under way.
func TestExchange_LateEnqueueing(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(x *exchanging, serve func() error) error{
		"Answered": getsThrough, "AnswerLost": lostAnswer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			x := &exchanging{t: t}
			l := lockerOn(t, srv, nil, func(_ context.Context, req any, serve func() error) error {
				if step(req) == "Exchange" && x.sent.Add(1) == 1 {
					return first(x, serve)
				}
				return serve()
			}, nil)
			e, err := l.enterQueue(t.Context(), "n")
			if err != nil {
				t.Fatal(err)
			}
			e.unsure = true // as if its first sending had had no answer
			next := l.newEntry("n", e.lease)
			if _, released, queued := e.exchange(next, "", func() {}); released != nil || queued != nil {
				t.Fatal(released, queued)
			}
			e.end()
			if _, err := l.cli.Put(t.Context(), e.key, "", clientv3.WithLease(e.lease.ID)); err != nil {
				t.Fatal(err)
			}
			awaitQueue(t, srv, "n", 1)
			next.spawnRelease()
			awaitQueue(t, srv, "n", 0)
		})
	}
}
