package etcdlock

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/internal/memetcd"
)

// slowNet keeps the next request of one kind on its way until the test lets it
// arrive.
type slowNet struct {
	srv    *memetcd.Server
	kind   string
	deaf   bool // its answer never comes
	breaks bool // and the sender is told so
	on     atomic.Bool
	once   sync.Once

	sent    chan struct{} // closed when the request is on its way
	arrives chan struct{} // closed by the test
	landed  chan error    // what etcd says then
	undone  chan struct{} // closed when the client has deleted or revoked something since
	undoing sync.Once
}

func newSlowNet(srv *memetcd.Server, kind string, deaf bool) *slowNet {
	return &slowNet{
		srv: srv, kind: kind, deaf: deaf, sent: make(chan struct{}), arrives: make(chan struct{}),
		landed: make(chan error, 1), undone: make(chan struct{}),
	}
}

func (n *slowNet) intercept(ctx context.Context, req any, serve func() error) error {
	mine := false
	if n.on.Load() && step(req) == n.kind && strings.Contains(string(putOf(req).KeyBytes()), "/n/") {
		n.once.Do(func() { mine = true })
	}
	if !mine {
		err := serve()
		select {
		case <-n.sent:
			switch req.(type) {
			case *pb.DeleteRangeRequest, *pb.LeaseRevokeRequest:
				n.undoing.Do(func() { close(n.undone) })
			}
		default:
		}
		return err
	}
	answer := make(chan error, 1)
	go func() {
		<-n.arrives
		// serve refuses what its sender has called off, which a network does not.
		cli := n.srv.NewClient(context.Background(), nil)
		_, err := cli.Txn(context.Background()).If(conditionsOf(req)...).Then(putOf(req)).Commit()
		_ = cli.Close()
		n.landed <- err
		if !n.deaf {
			answer <- serve() // which finds it done, and says so as to a repetition
		}
	}()
	close(n.sent)
	if n.breaks {
		return errReplyLost
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func conditionsOf(req any) (cmps []clientv3.Cmp) {
	for _, c := range req.(*pb.TxnRequest).GetCompare() {
		cmps = append(cmps, clientv3.Cmp{})
		cmps[len(cmps)-1].GetCompare().Reset()
		*cmps[len(cmps)-1].GetCompare() = pb.Compare{
			Result: c.Result, Target: c.Target, Key: c.Key, RangeEnd: c.RangeEnd, TargetUnion: c.TargetUnion,
		}
	}
	return cmps
}

func putOf(req any) clientv3.Op {
	for _, op := range req.(*pb.TxnRequest).GetSuccess() {
		if p := op.GetRequestPut(); p != nil {
			return clientv3.OpPut(string(p.Key), string(p.Value), clientv3.WithLease(clientv3.LeaseID(p.Lease)))
		}
	}
	panic("no put in the request")
}

// locker returns a Locker whose leases and last sweeps are an hour away, so that
// nothing but what the caller's end sets off can free a name.
func (n *slowNet) locker(t *testing.T) *Locker {
	t.Helper()
	l := lockerOn(t, n.srv, &Options{TTL: time.Hour, Linger: NoLinger, RequestTimeout: time.Hour}, n.intercept, nil)
	if l.queues.SweepDelay = time.Hour; !n.deaf {
		l.queues.AnswerGrace = time.Hour
	}
	unlockNow(t, lockNow(t, l, "warm")) // the session is up
	n.on.Store(true)
	return l
}

// undoings are the calls whose key may be put after they have given up.
var undoings = map[string]func(ctx context.Context, l *Locker) (*Lock, error){
	"Lock":       func(ctx context.Context, l *Locker) (*Lock, error) { return l.Lock(ctx, "n") },
	"Several":    func(ctx context.Context, l *Locker) (*Lock, error) { return l.Lock(ctx, "n", "o") },
	"TryLock":    func(ctx context.Context, l *Locker) (*Lock, error) { return l.TryLock(ctx, "n") },
	"TrySeveral": func(ctx context.Context, l *Locker) (*Lock, error) { return l.TryLock(ctx, "n", "o") },
	"FixedTerm":  func(ctx context.Context, l *Locker) (*Lock, error) { return l.LockWithTTL(ctx, time.Hour, "n") },
	"OutOfOrder": func(ctx context.Context, l *Locker) (*Lock, error) {
		z, err := l.TryLock(ctx, "z")
		if err != nil {
			return nil, err
		}
		defer z.Unlock(context.Background()) //nolint:errcheck // the test finds it free
		under, cancel := z.Bind(ctx)
		defer cancel()
		return l.Lock(under, "n")
	},
}

// A caller gives up while its enqueueing is on its way. It returns at once. Whether
// the answer comes late or never, the key is not in the way of others.
func TestUndo_Enqueueing(t *testing.T) {
	t.Parallel()
	for name, call := range undoings {
		for how, deaf := range map[string]bool{"LateAnswer": false, "NoAnswer": true} {
			t.Run(name+how, func(t *testing.T) {
				t.Parallel()
				n := newSlowNet(newServer(t), "Enqueue", deaf)
				l := n.locker(t)
				other := lockerOn(t, n.srv, &Options{TTL: time.Hour, Linger: NoLinger}, nil, nil)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() {
					_, err := call(ctx, l)
					done <- err
				}()
				<-n.sent
				cancel()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
				if deaf { // it arrives when all that undoes it has been done
					<-n.undone
				}
				close(n.arrives)
				if err := <-n.landed; err != nil && name != "FixedTerm" { // whose lease is revoked
					t.Error(err)
				}
				for _, name := range []string{"n", "o"} {
					unlockNow(t, lockNow(t, other, name))
				}
				awaitQueue(t, n.srv, "n", 0)
				select {
				case <-n.undone:
					if !deaf && name != "FixedTerm" {
						t.Error("it was undone before the answer was there")
					}
				default:
				}
			})
		}
	}
}

// A try that asks gives up while its key is on its way to stand behind one that
// is in use. The next one is not kept waiting by it.
func TestUndo_Asking(t *testing.T) {
	t.Parallel()
	for how, deaf := range map[string]bool{"LateAnswer": false, "NoAnswer": true} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			n := newSlowNet(newServer(t), "Enqueue", deaf)
			l := n.locker(t)
			other := lockerOn(t, n.srv, &Options{TTL: time.Hour}, nil, nil)
			k := lockNow(t, other, "n")
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := l.TryLock(ctx, "n")
				done <- err
			}()
			<-n.sent
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if deaf {
				<-n.undone
			}
			close(n.arrives)
			if err := <-n.landed; err != nil {
				t.Error(err)
			}
			unlockNow(t, k)
			unlockNow(t, lockNow(t, lockerOn(t, n.srv, nil, nil, nil), "n"))
		})
	}
}

// The goroutine for which a hold is exchanged gives up while that is on its way.
func TestUndo_Exchange(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	sent, arrives := make(chan struct{}), make(chan struct{})
	var once sync.Once
	l := lockerOn(t, srv, &Options{TTL: time.Hour, MaxHold: time.Nanosecond}, func(_ context.Context, req any, serve func() error) error {
		if step(req) == "Exchange" {
			once.Do(func() {
				close(sent)
				<-arrives
			})
		}
		return serve()
	}, nil)
	other := lockerOn(t, srv, &Options{TTL: time.Hour, Linger: NoLinger}, nil, nil)
	k := lockNow(t, l, "n")
	queued := make(chan *Lock)
	go func() { queued <- lockNow(t, other, "n") }()
	awaitQueue(t, srv, "n", 2)
	wanted(t, l, "n")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := l.Lock(ctx, "n")
		done <- err
	}()
	inLine(t, l, "n", 1)
	unlockNow(t, k)
	<-sent
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(arrives)
	unlockNow(t, <-queued)
	unlockNow(t, lockNow(t, other, "n"))
	awaitQueue(t, srv, "n", 0)
}

// An enqueueing was sent twice, and the first sending arrives when the lock has
// been given back.
func TestUndo_SentTwice(t *testing.T) {
	t.Parallel()
	n := newSlowNet(newServer(t), "Enqueue", true)
	n.breaks = true
	l := n.locker(t)
	unlockNow(t, lockNow(t, l, "n"))
	close(n.arrives)
	if err := <-n.landed; err != nil {
		t.Fatal(err)
	}
	unlockNow(t, lockNow(t, lockerOn(t, n.srv, nil, nil, nil), "n"))
}
