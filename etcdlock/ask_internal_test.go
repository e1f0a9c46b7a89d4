package etcdlock

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/holdfast-go/holdfast/internal/memetcd"
)

// patient keeps what runs out by itself away from a test.
func patient() *Options {
	return &Options{TTL: time.Hour, Linger: time.Hour, RequestTimeout: time.Hour}
}

func tryNow(t *testing.T, l *Locker, names ...string) *Lock {
	t.Helper()
	k, err := l.TryLock(t.Context(), names...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A hold that lingers makes way for a try, of one name and of several.
func TestAsk_LingeringMakesWay(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	ls := []*Locker{lockerOn(t, srv, patient(), nil, nil), lockerOn(t, srv, patient(), nil, nil)}
	for i := range 10 {
		l := ls[i%2]
		unlockNow(t, tryNow(t, l, "n"))
		unlockNow(t, tryNow(t, l, "n", "m", "o"))
		m := lockNow(t, l, "m") // and under a hold, in any order
		a, err := l.TryLock(m.Context(), "a", "z")
		if err != nil {
			t.Fatal(err)
		}
		unlockNow(t, a)
		unlockNow(t, m)
	}
}

// writes counts what a client puts and deletes.
type writes struct{ puts, deletes, requests atomic.Int64 }

func (w *writes) intercept(_ context.Context, req any, serve func() error) error {
	w.requests.Add(1)
	switch step(req) {
	case "Enqueue":
		w.puts.Add(1)
	case "Release":
		w.deletes.Add(1)
	}
	return serve()
}

// A name in use is refused. The first try asks, those after it read that it is in use,
// no matter who makes them, and nothing of them stays.
func TestAsk_InUse(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var w writes
	l, other := lockerOn(t, srv, patient(), nil, nil), lockerOn(t, srv, patient(), w.intercept, nil)
	third := lockerOn(t, srv, patient(), w.intercept, nil)
	k := lockNow(t, l, "n")
	for range 10 {
		if _, err := other.TryLock(t.Context(), "n"); !errors.Is(err, ErrHeld) {
			t.Fatal(err)
		}
		if _, err := third.TryLock(t.Context(), "a", "n", "z"); !errors.Is(err, ErrHeld) {
			t.Fatal(err)
		}
	}
	if puts, deletes := w.puts.Load(), w.deletes.Load(); puts != 1 || deletes != 1 {
		t.Errorf("20 tries took %d puts and %d deletes, want 1 of each", puts, deletes)
	}
	awaitQueue(t, srv, "n", 1)
	if k.Context().Err() != nil {
		t.Error("the answer ended the hold")
	}
	unlockNow(t, k)
	unlockNow(t, tryNow(t, other, "n")) // at once: Unlock has waited for etcd
}

// Of many who try at the same time, one asks.
func TestAsk_Crowd(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	holder := lockerOn(t, srv, patient(), nil, nil)
	k := lockNow(t, holder, "n")
	ls := make([]*Locker, 20)
	var looking sync.WaitGroup // all read the same queue
	looking.Add(len(ls))
	for i := range ls {
		var once sync.Once
		ls[i] = lockerOn(t, srv, patient(), func(_ context.Context, req any, serve func() error) error {
			err := serve()
			if r, ok := req.(*pb.RangeRequest); ok && r.Limit == 1 {
				once.Do(func() {
					looking.Done()
					looking.Wait()
				})
			}
			return err
		}, nil)
		if _, err := ls[i].session.Lease(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	before, err := holder.revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, l := range ls {
		wg.Go(func() {
			if _, err := l.TryLock(t.Context(), "n"); !errors.Is(err, ErrHeld) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if after, err := holder.revision(t.Context()); err != nil || after != before+3 {
		t.Errorf("20 tries took %d writes, want a question, its answer, and that the question goes: %v", after-before, err)
	}
	awaitQueue(t, srv, "n", 1)
	unlockNow(t, k)
}

// Keys that say nothing of lingering are in use: those of another library, of a fixed
// term, and of a process that does not linger. So is a name that others wait for.
func TestAsk_NobodyToAsk(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]func(t *testing.T, srv *memetcd.Server) func(){
		"Foreign": func(t *testing.T, srv *memetcd.Server) func() {
			cli := srv.NewClient(context.Background(), nil)
			if _, err := cli.Put(t.Context(), defaultNamespace+"n/1234", ""); err != nil {
				t.Fatal(err)
			}
			return func() {
				_, _ = cli.Delete(context.Background(), defaultNamespace+"n/1234")
				_ = cli.Close()
			}
		},
		"FixedTerm": func(t *testing.T, srv *memetcd.Server) func() {
			k, err := lockerOn(t, srv, nil, nil, nil).LockWithTTL(t.Context(), time.Hour, "n")
			if err != nil {
				t.Fatal(err)
			}
			return func() { unlockNow(t, k) }
		},
		"NoLinger": func(t *testing.T, srv *memetcd.Server) func() {
			k := lockNow(t, lockerOn(t, srv, &Options{Linger: NoLinger}, nil, nil), "n")
			return func() { unlockNow(t, k) }
		},
		"Waiter": func(t *testing.T, srv *memetcd.Server) func() {
			k := lockNow(t, lockerOn(t, srv, patient(), nil, nil), "n")
			next := make(chan *Lock)
			l := lockerOn(t, srv, patient(), nil, nil)
			go func() { next <- lockNow(t, l, "n") }()
			awaitQueue(t, srv, "n", 2)
			return func() {
				unlockNow(t, k)
				unlockNow(t, <-next)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			var w writes
			l := lockerOn(t, srv, nil, w.intercept, nil)
			end := hold(t, srv)
			if _, err := l.TryLock(t.Context(), "n"); !errors.Is(err, ErrHeld) {
				t.Error(err)
			}
			if _, err := l.TryLock(t.Context(), "a", "n"); !errors.Is(err, ErrHeld) {
				t.Error(err)
			}
			if n := w.puts.Load(); n != 0 {
				t.Errorf("%d puts, want none", n)
			}
			end()
		})
	}
}

// A process that does not answer, because it is dead or stopped, is taken for one
// that uses the name.
func TestAsk_NoAnswer(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	dead := lockerOn(t, srv, patient(), func(ctx context.Context, req any, serve func() error) error {
		if w, ok := req.(*pb.WatchRequest); ok && w.GetCreateRequest() != nil &&
			string(w.GetCreateRequest().Key) == defaultNamespace+"n/" {
			<-ctx.Done() // it never learns who is behind
			return ctx.Err()
		}
		return serve()
	}, nil)
	k := lockNow(t, dead, "n")
	l := lockerOn(t, srv, &Options{RequestTimeout: 90 * time.Millisecond}, nil, nil)
	if _, err := l.TryLock(t.Context(), "n"); !errors.Is(err, ErrHeld) {
		t.Error(err)
	}
	awaitQueue(t, srv, "n", 1)
	unlockNow(t, k)
}

// The answer is written until etcd has it, and never on a key that came after.
func TestAsk_AnswerLost(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var lost atomic.Int64
	l := lockerOn(t, srv, patient(), func(_ context.Context, req any, serve func() error) error {
		if txn, ok := req.(*pb.TxnRequest); ok && len(txn.Success) == 1 && txn.Success[0].GetRequestPut() != nil && lost.Add(1) < 3 {
			return errReplyLost
		}
		return serve()
	}, nil)
	k := lockNow(t, l, "n")
	other := lockerOn(t, srv, patient(), nil, nil)
	if _, err := other.TryLock(t.Context(), "n"); !errors.Is(err, ErrHeld) {
		t.Error(err)
	}
	if lost.Load() < 3 {
		t.Error("no answer was lost: the test proves nothing")
	}
	unlockNow(t, k)
	unlockNow(t, tryNow(t, other, "n"))
}
