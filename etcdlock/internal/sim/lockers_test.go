package sim_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/internal/memetcd"
)

const lockName = "n"

// fate is what becomes of one request.
type fate int

const (
	arrives fate = iota
	requestLost
	answerLost
	overtaken   // waits until the client has made another request
	answerStays // the answer waits likewise
)

var errNetwork = status.Error(codes.Unavailable, "the network has lost it")

// network is one client's, with a fate drawn for each of its first requests;
// those after them arrive.
type network struct {
	mu     sync.Mutex
	fates  []fate
	nudge  chan struct{} // closed by the next request
	felt   *[answerStays + 1]atomic.Int64
	onDone func(req any) // called when the server has carried a request out
}

func (n *network) intercept(ctx context.Context, req any, next func() error) error {
	n.mu.Lock()
	mine := arrives
	if len(n.fates) > 0 {
		mine, n.fates = n.fates[0], n.fates[1:]
	}
	close(n.nudge)
	n.nudge = make(chan struct{})
	nudge := n.nudge
	n.mu.Unlock()
	n.felt[mine].Add(1)

	if mine == requestLost {
		return errNetwork
	}
	if mine == overtaken {
		n.hold(ctx, nudge)
	}
	err := next()
	if err == nil && n.onDone != nil {
		n.onDone(req)
	}
	if mine == answerStays {
		n.hold(ctx, nudge)
	}
	if mine == answerLost && err == nil {
		err = errNetwork
	}
	return err
}

// hold keeps a message until the client does something else, but not without end:
// it may be waiting for this very message.
func (n *network) hold(ctx context.Context, nudge <-chan struct{}) {
	t := time.NewTimer(10 * time.Millisecond)
	defer t.Stop()
	select {
	case <-nudge:
	case <-t.C:
	case <-ctx.Done():
	}
}

// deed is what one client does, once.
type deed int

const (
	lock    deed = iota
	tryLock      // and goes on without when it is busy
	impatient
	deeds
)

// plan is one client's life, and what is done to it.
type plan struct {
	fates  []fate
	deeds  []deed
	broken bool // its streams break while it waits
}

func drawPlan(t *rapid.T) plan {
	return plan{
		fates:  rapid.SliceOfN(rapid.Custom(func(t *rapid.T) fate { return fate(rapid.IntRange(0, int(answerStays)).Draw(t, "fate")) }), 0, 15).Draw(t, "fates"),
		deeds:  rapid.SliceOfN(rapid.Custom(func(t *rapid.T) deed { return deed(rapid.IntRange(0, int(deeds)-1).Draw(t, "deed")) }), 1, 2).Draw(t, "deeds"),
		broken: rapid.Bool().Draw(t, "streams break"),
	}
}

// turnBits leaves room for the turns of one hold next to its token.
const turnBits = 21

// world is the etcd with all that its clients share.
type world struct {
	srv       *memetcd.Server
	owner     atomic.Int64 // number of the client that holds the lock, 0 for nobody
	lastPlace atomic.Int64 // token and turn of the last holder
	holds     atomic.Int64
	felt      [answerStays + 1]atomic.Int64
	busy      sync.WaitGroup // clients that may still ask for the lock
	ending    chan struct{}  // closed when they must close their Lockers
	mu        sync.Mutex
	wrong     []string
}

func (w *world) failf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// critical is what a holder does: it is alone, it is the first of the queue, and
// it came after everybody who held the lock before.
func (w *world) critical(ctx context.Context, who int64, l *etcdlock.Locker, k *etcdlock.Lock) {
	if !w.owner.CompareAndSwap(0, who) {
		w.failf("client %d holds the lock, and so does %d", who, w.owner.Load())
		return
	}
	w.holds.Add(1)
	// Tokens grow from hold to hold, turns within one.
	fence, _ := k.FencingToken(lockName)
	place := fence.Revision<<turnBits | fence.Turn
	if before := w.lastPlace.Swap(place); before >= place {
		w.failf("client %d has turn %d of token %d after turn %d of token %d",
			who, fence.Turn, k.Token(), before&(1<<turnBits-1), before>>turnBits)
	}
	if queue, err := l.Holders(ctx, lockName); err == nil && (len(queue) == 0 || queue[0].Revision != k.Token()) {
		w.failf("client %d holds token %d, the queue is %v", who, k.Token(), queue)
	}
	if err := k.Context().Err(); err != nil {
		w.failf("client %d lost a hold that nobody took away: %v", who, context.Cause(k.Context()))
	}
	w.owner.Store(0)
}

// live does what the plan says, then closes the Locker.
func (w *world) live(ctx context.Context, who int64, p plan) {
	net := &network{fates: p.fates, nudge: make(chan struct{}), felt: &w.felt}
	if p.broken {
		var once sync.Once
		net.onDone = func(req any) {
			if _, watches := req.(*pb.WatchRequest); watches {
				once.Do(func() { w.srv.BreakStreams(errNetwork) })
			}
		}
	}
	cli := w.srv.NewClient(context.Background(), &memetcd.ClientOptions{Intercept: net.intercept})
	defer func() { _ = cli.Close() }() // says only that its context is over
	l, err := etcdlock.New(cli, nil)
	if err != nil {
		w.failf("client %d: %v", who, err)
		w.busy.Done()
		return
	}
	for _, d := range p.deeds {
		w.do(ctx, who, l, d)
	}
	w.busy.Done()
	<-w.ending
	if err := l.Close(ctx); err != nil {
		w.failf("client %d closes: %v", who, err)
	}
}

func (w *world) do(ctx context.Context, who int64, l *etcdlock.Locker, d deed) {
	var k *etcdlock.Lock
	var err error
	switch d {
	case lock:
		k, err = l.Lock(ctx, lockName)
	case tryLock:
		k, err = l.TryLock(ctx, lockName)
		if errors.Is(err, etcdlock.ErrHeld) || errors.Is(err, etcdlock.ErrUnavailable) {
			return
		}
	case impatient:
		short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
		defer cancel()
		k, err = l.Lock(short, lockName)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return
		}
	}
	if err != nil {
		w.failf("client %d: %v", who, err)
		return
	}
	w.critical(ctx, who, l, k)
	if err := k.Unlock(ctx); err != nil {
		w.failf("client %d unlocks: %v", who, err)
	}
}

// Real Lockers on an etcd in memory, whose messages meet what chance draws:
// they are lost on the way there or back, and overtake one another.
func TestLockers(t *testing.T) {
	t.Parallel()
	var holds int64
	var felt [answerStays + 1]int64
	rapid.Check(t, func(t *rapid.T) {
		plans := rapid.SliceOfN(rapid.Custom(drawPlan), 2, 5).Draw(t, "clients")
		w := &world{srv: memetcd.New(nil), ending: make(chan struct{})}
		defer w.srv.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		w.busy.Add(len(plans))
		var wg sync.WaitGroup
		for i, p := range plans {
			wg.Go(func() { w.live(ctx, int64(i+1), p) })
		}
		w.busy.Wait()
		// The sessions still live: a key that nobody looks after would be in
		// the way.
		w.next(ctx)
		if left := w.queueAfterLingering(ctx); len(left) > 0 {
			w.failf("keys are left in the queue: %q", left)
		}
		close(w.ending)
		wg.Wait()
		if keys := w.srv.Keys(); len(keys) > 0 {
			w.failf("closed Lockers have left %q", keys)
		}
		if len(w.wrong) > 0 {
			t.Fatal(strings.Join(w.wrong, "\n"))
		}
		holds += w.holds.Load()
		for i := range felt {
			felt[i] += w.felt[i].Load()
		}
	})
	t.Logf("%d holds; requests by fate: %d", holds, felt)
	for f, n := range felt {
		if n == 0 {
			t.Errorf("no request met fate %d: the test proves too little", f)
		}
	}
	if holds == 0 {
		t.Error("nobody ever held the lock: the test proves nothing")
	}
}

// queueAfterLingering waits until nobody is in the queue, lingering holds
// included, and returns what stays when ctx ends.
func (w *world) queueAfterLingering(ctx context.Context) []string {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		var queue []string
		for _, key := range w.srv.Keys() {
			if strings.HasPrefix(key, "holdfast/"+lockName+"/") {
				queue = append(queue, key)
			}
		}
		if len(queue) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return queue
		}
	}
}

// next takes the lock after all the others.
func (w *world) next(ctx context.Context) {
	cli := w.srv.NewClient(ctx, nil)
	defer func() { _ = cli.Close() }() // says only that its context is over
	l, err := etcdlock.New(cli, nil)
	if err != nil {
		w.failf("the next client: %v", err)
		return
	}
	w.do(ctx, -1, l, lock)
	if err := l.Close(ctx); err != nil {
		w.failf("the next client closes: %v", err)
	}
}
