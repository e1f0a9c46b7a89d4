package cohort

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var eventually = etcdtest.Eventually

// world has the global queues in memory.
type world struct {
	mu      sync.Mutex
	token   int64
	places  map[string][]*fakeNode // by name
	queues  []*fakeQueue
	changed chan struct{}

	releasing func()          // called before a release or a hand-off is done, if not nil
	enqueuing func(*fakeNode) // called when a place was taken, if not nil
	calls     struct{ enqueues, handOffs, releases, answers int }
}

func newWorld() *world { return &world{places: map[string][]*fakeNode{}, changed: make(chan struct{})} }

// change changes the queues and tells those who watch.
func (w *world) change(f func()) {
	w.mu.Lock()
	f()
	close(w.changed)
	w.changed = make(chan struct{})
	var told []func()
	for _, q := range w.queues {
		if q.watching {
			told = append(told, q.told)
		}
	}
	w.mu.Unlock()
	for _, f := range told {
		f()
	}
}

func (w *world) length(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.places[name])
}

// process returns Cohorts that stand in the queues. What they do in the background ends
// before the test does.
func (w *world) process(t *testing.T, c Config) *Cohorts {
	t.Helper()
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancelCause(context.Background())
	c.Queue = func(name string, told func()) Queue {
		w.mu.Lock()
		defer w.mu.Unlock()
		q := &fakeQueue{w: w, name: name, told: told}
		w.queues = append(w.queues, q)
		return q
	}
	c.Spawn = func(f func()) bool { wg.Go(f); return true }
	c.Closing = ctx
	if c.MaxTurns == 0 {
		c.MaxTurns, c.MaxHold = 32, time.Hour
	}
	if c.Lost == nil {
		c.Lost = func(string, error) {}
	}
	a := New(c)
	t.Cleanup(func() {
		cancel(session.ErrClosed)
		a.Rush()
		eventually(t, "the cohorts to be forgotten", func() bool { return a.Len() == 0 })
		wg.Wait()
	})
	return a
}

// fakeQueue is what one process has of a queue.
type fakeQueue struct {
	w                        *world
	name                     string
	told                     func()
	watching                 bool
	watches, forgets, closes int
}

func (q *fakeQueue) node() *fakeNode {
	n := &fakeNode{q: q, alive: true}
	n.ctx, n.cancel = context.WithCancelCause(context.Background())
	return n
}

// put puts the node at the end. The caller holds the mutex.
func (q *fakeQueue) put(n *fakeNode) {
	q.w.token++
	n.token = q.w.token
	q.w.places[q.name] = append(q.w.places[q.name], n)
}

func (q *fakeQueue) Enqueue(ctx context.Context) (Node, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	n := q.node()
	q.w.change(func() {
		q.put(n)
		q.w.calls.enqueues++
	})
	if q.w.enqueuing != nil {
		q.w.enqueuing(n)
	}
	return n, nil
}

func (q *fakeQueue) Try(context.Context) (Node, error) {
	n, err := q.node(), error(nil)
	q.w.change(func() {
		if len(q.w.places[q.name]) > 0 {
			err = queue.ErrHeld
			return
		}
		q.put(n)
	})
	return n, err
}

func (q *fakeQueue) Watch() {
	q.w.mu.Lock()
	defer q.w.mu.Unlock()
	q.watching = true
	q.watches++
}

func (q *fakeQueue) Forget() {
	q.w.mu.Lock()
	defer q.w.mu.Unlock()
	q.forgets++
}

func (q *fakeQueue) Close() {
	q.w.mu.Lock()
	defer q.w.mu.Unlock()
	q.watching = false
	q.closes++
}

// fakeNode is a place in a queue.
type fakeNode struct {
	q      *fakeQueue
	token  int64
	ctx    context.Context
	cancel context.CancelCauseFunc
	loss   func()
	alive  bool
	tries  bool // it is that of a try
	waited bool
}

// at returns where the node is, -1 if it is gone. The caller holds the mutex.
func (n *fakeNode) at() int { return slices.Index(n.q.w.places[n.q.name], n) }

// place is at for tests.
func (n *fakeNode) place() int {
	n.q.w.mu.Lock()
	defer n.q.w.mu.Unlock()
	return n.at()
}

func (n *fakeNode) remove() bool {
	at := n.at()
	if at >= 0 {
		n.q.w.places[n.q.name] = slices.Delete(n.q.w.places[n.q.name], at, at+1)
	}
	return at >= 0
}

func (n *fakeNode) Await(ctx context.Context) error {
	for {
		n.q.w.mu.Lock()
		at, changed := n.at(), n.q.w.changed
		if at > 0 {
			n.waited = true
		}
		n.q.w.mu.Unlock()
		switch {
		case at == 0:
			return nil
		case at < 0:
			n.cancel(session.ErrLost)
			return session.ErrLost
		}
		select {
		case <-changed:
		case <-ctx.Done():
			n.Drop()
			return ctx.Err()
		}
	}
}

func (n *fakeNode) leave(answered func(), also func()) error {
	w := n.q.w
	if w.releasing != nil {
		w.releasing()
	}
	var err error
	w.change(func() {
		if !n.remove() {
			err = session.ErrLost
		}
		if also != nil {
			also()
		}
		if answered != nil {
			w.calls.answers++
		}
	})
	if answered != nil {
		answered()
	}
	return err
}

func (n *fakeNode) HandOff(answered func()) (Node, error, error) {
	next := n.q.node()
	err := n.leave(answered, func() {
		n.q.put(next)
		n.q.w.calls.handOffs++
	})
	return next, err, nil
}

func (n *fakeNode) Release(answered func()) error {
	return n.leave(answered, func() { n.q.w.calls.releases++ })
}

func (n *fakeNode) Drop() {
	n.End()
	n.q.w.change(func() { n.remove() })
}
func (n *fakeNode) End() { n.cancel(nil) }

// loseUnnoticed takes the place away and tells nobody.
func (n *fakeNode) loseUnnoticed() {
	n.q.w.mu.Lock()
	n.remove()
	n.q.w.mu.Unlock()
	n.cancel(fmt.Errorf("%w: the test says so", session.ErrLost))
}

func (n *fakeNode) Deleted() {
	n.loseUnnoticed()
	n.q.w.mu.Lock()
	f := n.loss
	n.q.w.mu.Unlock()
	if f != nil {
		go f()
	}
}

func (n *fakeNode) OnLoss(f func()) {
	n.q.w.mu.Lock()
	defer n.q.w.mu.Unlock()
	n.loss = f
}

func (n *fakeNode) Standing() (s queue.Standing) {
	n.q.w.mu.Lock()
	defer n.q.w.mu.Unlock()
	if !n.q.watching {
		return s
	}
	at := n.at()
	if at < 0 {
		return queue.Standing{Known: true, Missing: true}
	}
	behind := n.q.w.places[n.q.name][at+1:]
	return queue.Standing{
		Known: true, Successor: len(behind) > 0,
		Asked: slices.ContainsFunc(behind, func(n *fakeNode) bool { return n.tries }),
	}
}

func (n *fakeNode) SayInUse() {
	n.q.w.mu.Lock()
	defer n.q.w.mu.Unlock()
	n.q.w.calls.answers += 1000
}
func (n *fakeNode) Waited() bool             { return n.waited }
func (n *fakeNode) HasSuccessor() bool       { return n.Standing().Successor }
func (n *fakeNode) Alive() bool              { return n.alive }
func (n *fakeNode) Remaining() time.Duration { return time.Hour }
func (n *fakeNode) Context() context.Context { return n.ctx }
func (n *fakeNode) Name() string             { return n.q.name }
func (n *fakeNode) Token() int64             { return n.token }
func (n *fakeNode) Member() queue.Member     { return queue.Member{Name: n.q.name, Revision: n.token} }
func (n *fakeNode) Fence() string            { return fmt.Sprint(n.token) }

// stranger puts a place of another process into the queue.
func (w *world) stranger(name string, tries bool) *fakeNode {
	n := (&fakeQueue{w: w, name: name}).node()
	n.tries = tries
	w.change(func() { n.q.put(n) })
	return n
}

func lock(t *testing.T, a *Cohorts, name string) *Turn {
	t.Helper()
	turn := new(Turn)
	if err := a.Lock(t.Context(), name, false, turn); err != nil {
		t.Fatal(err)
	}
	return turn
}

// unlock gives a turn back, and waits until the hold is released if it must be.
func unlock(t *testing.T, turn *Turn) {
	t.Helper()
	if h := turn.Finish(); h != nil {
		if err := h.Release(); err != nil && !errors.Is(err, session.ErrLost) {
			t.Error(err)
		}
	}
}

// waiting locks in the background, once the goroutine stands in line behind others.
func waiting(t *testing.T, a *Cohorts, name string, others int) <-chan *Turn {
	t.Helper()
	next := make(chan *Turn, 1)
	go func() {
		defer close(next) // also if it fails
		next <- lock(t, a, name)
	}()
	eventually(t, "the line", func() bool { return a.Status(name).InLine == others+1 })
	return next
}

// holdOf returns the hold of the name.
func holdOf(a *Cohorts, name string) *Hold {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byName[name].hold
}

// queueOf returns the queue of a cohort that is there.
func queueOf(a *Cohorts, name string) *fakeQueue {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byName[name].queue.(*fakeQueue)
}
