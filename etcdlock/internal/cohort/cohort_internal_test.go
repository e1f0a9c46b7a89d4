package cohort

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// Goroutines get their turns in the order in which they came, on one hold.
func TestLock_FirstComeFirstServed(t *testing.T) {
	t.Parallel()
	w := newWorld()
	a := w.process(t, Config{})
	first := lock(t, a, "n")
	var next []<-chan *Turn
	for i := range 5 {
		next = append(next, waiting(t, a, "n", i))
	}
	turn := first
	for i, n := range next {
		unlock(t, turn)
		turn = <-n
		if turn.N != int64(i)+2 || turn.Node.Token() != first.Node.Token() {
			t.Errorf("goroutine %d has turn %d of hold %d", i, turn.N, turn.Node.Token())
		}
	}
	unlock(t, turn)
	if w.calls.enqueues != 1 || w.calls.releases != 1 || w.calls.handOffs != 0 || a.Len() != 0 {
		t.Errorf("%+v, %d cohorts are left", w.calls, a.Len())
	}
}

// A hold that has had its turns, or its time, is taken again, although nobody
// else wants it: from a goroutine in line as well as while it lingers, and by a try.
func TestHold_IsTakenAgain(t *testing.T) {
	t.Parallel()
	for name, age := range map[string]func(*Hold){
		"turns":   func(h *Hold) { h.turns = maxTurnsOfHold },
		"time":    func(h *Hold) { h.begun = h.begun.Add(-maxAgeOfHold) },
		"retired": func(h *Hold) { h.retired = true },
	} {
		a := newWorld().process(t, Config{Linger: time.Hour})
		makeOld := func() {
			h := holdOf(a, "n")
			a.mu.Lock()
			defer a.mu.Unlock()
			age(h)
		}
		first := lock(t, a, "n")
		next := waiting(t, a, "n", 0)
		makeOld()
		unlock(t, first)
		second := <-next
		if second.Node.Token() <= first.Node.Token() || second.N != 1 {
			t.Errorf("%s, in line: token %d, turn %d after token %d", name, second.Node.Token(), second.N, first.Node.Token())
		}
		unlock(t, second)
		makeOld()
		third := lock(t, a, "n")
		if third.Node.Token() <= second.Node.Token() || third.N != 1 {
			t.Errorf("%s, lingering: token %d, turn %d after token %d", name, third.Node.Token(), third.N, second.Node.Token())
		}
		unlock(t, third)
		makeOld()
		tried := new(Turn)
		if err := a.TryLock(t.Context(), "n", tried); err != nil {
			t.Fatal(err)
		}
		if tried.Node.Token() <= third.Node.Token() {
			t.Errorf("%s, tried: token %d after %d", name, tried.Node.Token(), third.Node.Token())
		}
		unlock(t, tried)
	}
}

// Who is served at the moment at which it gives up hands its turn on: nobody
// else would ever get the name.
func TestLock_GivingUpHandsTheTurnOn(t *testing.T) {
	t.Parallel()
	a := newWorld().process(t, Config{Linger: time.Hour})
	unlock(t, lock(t, a, "n"))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	given, refused := 0, 0
	for range 100 {
		// It is served at once, by the hold that lingers. Chance decides what it
		// notices first: that, or its context.
		turn := new(Turn)
		if err := a.Lock(over, "n", false, turn); err == nil {
			given++
			unlock(t, turn)
		} else {
			refused++
		}
		if a.Status("n").Turn != 0 {
			t.Fatal("nobody uses the turn, and nobody gets it")
		}
	}
	if given == 0 || refused == 0 {
		t.Errorf("%d were given, %d refused: the test proves nothing", given, refused)
	}
}

// One that gives up in line costs the others nothing; the last one takes the leader with it.
func TestLock_GivingUp(t *testing.T) {
	t.Parallel()
	w := newWorld()
	before := w.stranger("n", false)
	a := w.process(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { gone <- a.Lock(ctx, "n", false, new(Turn)) }()
	eventually(t, "the leader", func() bool { return w.length("n") == 2 })
	next := waiting(t, a, "n", 1)
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if w.length("n") != 2 {
		t.Error("the place has gone with one of two")
	}
	before.Drop()
	unlock(t, <-next)
	before = w.stranger("n", false)
	ctx, cancel = context.WithCancel(t.Context())
	go func() { gone <- a.Lock(ctx, "n", false, new(Turn)) }()
	eventually(t, "the leader", func() bool { return w.length("n") == 2 })
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	eventually(t, "the leader to go", func() bool { return w.length("n") == 1 })
	before.Drop()
}

// What a leader brings home after it was called off is for nobody, least of all
// for those who wait for the next one.
func TestLeader_CalledOff(t *testing.T) {
	t.Parallel()
	w := newWorld()
	a := w.process(t, Config{})
	n, err := (&fakeQueue{w: w, name: "n"}).Enqueue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next := waiting(t, a, "n", 0)
	a.mu.Lock()
	c := a.byName["n"]
	a.mu.Unlock()
	calledOff := c.newLeader()
	calledOff.stop()
	c.arrive(calledOff, nil, errors.New("what befell another"))
	c.arrive(calledOff, n, nil)
	turn := <-next
	if turn.Node.Token() <= n.Token() {
		t.Errorf("token %d is that of the leader called off", turn.Node.Token())
	}
	unlock(t, turn)
}

// An error of the leader is for the first in line; the others go on.
func TestLeader_Fails(t *testing.T) {
	t.Parallel()
	w := newWorld()
	before := w.stranger("n", false)
	a := w.process(t, Config{})
	failed := make(chan error, 1)
	go func() { failed <- a.Lock(t.Context(), "n", false, new(Turn)) }()
	eventually(t, "the leader", func() bool { return w.length("n") == 2 })
	next := waiting(t, a, "n", 1)
	w.change(func() { w.places["n"] = w.places["n"][:1] })
	if err := <-failed; !errors.Is(err, session.ErrLost) {
		t.Error(err)
	}
	before.Drop()
	unlock(t, <-next)
}

// Those in line for a hold whose lease is over take their place on a new lease, and so does
// a leader whose lease ended on the way: what is put on the old one goes with it.
func TestLeader_NotOnADeadLease(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var taken atomic.Int64
	var dead *fakeNode
	w.enqueuing = func(n *fakeNode) {
		switch taken.Add(1) {
		case 2: // the first that those in line have
			n.alive, dead = false, n
		case 3:
			dead.Drop() // with its lease
		}
	}
	a := w.process(t, Config{})
	first := lock(t, a, "n")
	next := waiting(t, a, "n", 0)
	first.Node.(*fakeNode).alive = false
	unlock(t, first)
	second := <-next
	if w.calls.handOffs != 0 || w.calls.enqueues != 3 {
		t.Errorf("%+v", w.calls)
	}
	if !second.Live() || first.Live() {
		t.Error("it is held on a lease that is over")
	}
	unlock(t, second)
	if w.calls.releases != 2 {
		t.Errorf("%+v: what is on a dead lease was made a hold", w.calls)
	}
}

// With goroutines in line a hold that leaves is handed off, at once if others wait.
func TestHold_HandsOff(t *testing.T) {
	t.Parallel()
	w := newWorld()
	a := w.process(t, Config{MaxTurns: 1, MaxHold: time.Nanosecond})
	turn := lock(t, a, "n")
	for range 3 {
		behind := w.stranger("n", false)
		eventually(t, "the hold to know", func() bool {
			queueOf(a, "n").Watch()
			w.change(func() {})
			return a.Status("n").Wanted
		})
		next := waiting(t, a, "n", 0)
		unlock(t, turn)
		if at := behind.place(); at != 0 {
			t.Fatalf("who waits is at %d", at)
		}
		behind.Drop()
		turn = <-next
	}
	unlock(t, turn)
	if w.calls.enqueues != 1 || w.calls.handOffs != 3 || w.calls.releases != 1 {
		t.Errorf("%+v", w.calls)
	}
}

// Who comes while the former hold of its process is on its way out queues behind it.
func TestHold_ComesDuringARelease(t *testing.T) {
	t.Parallel()
	w := newWorld()
	sent, answer := make(chan struct{}), make(chan struct{})
	w.releasing = func() {
		w.releasing = nil
		close(sent)
		<-answer
	}
	a := w.process(t, Config{})
	h := lock(t, a, "n").Finish()
	done := make(chan error)
	go func() { done <- h.Release() }()
	<-sent
	next := waiting(t, a, "n", 0)
	eventually(t, "the leader", func() bool { return w.length("n") == 2 })
	close(answer)
	if err := <-done; err != nil {
		t.Error(err)
	}
	unlock(t, <-next)
}

// A try is refused while the name is used or wanted here, waits until what is on its way out
// has left, and uses what lingers.
func TestTryLock(t *testing.T) {
	t.Parallel()
	w := newWorld()
	a := w.process(t, Config{Linger: time.Hour})
	try := func() error {
		turn := new(Turn)
		err := a.TryLock(t.Context(), "n", turn)
		if err == nil {
			unlock(t, turn)
		}
		return err
	}
	turn := lock(t, a, "n")
	if err := try(); !errors.Is(err, queue.ErrHeld) {
		t.Errorf("in use: %v", err)
	}
	unlock(t, turn)
	if err := try(); err != nil || w.calls.enqueues != 1 {
		t.Errorf("lingering: %v, %+v", err, w.calls)
	}
	turn = lock(t, a, "n")
	turn.Retire()
	sent, answer := make(chan struct{}), make(chan struct{})
	w.releasing = func() {
		w.releasing = nil
		close(sent)
		<-answer
	}
	h := turn.Finish()
	go func() { _ = h.Release() }()
	<-sent
	tried := make(chan error)
	go func() { tried <- try() }()
	a.mu.Lock()
	c := a.byName["n"]
	a.mu.Unlock()
	eventually(t, "the try to wait", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return c.departed != nil
	})
	close(answer)
	if err := <-tried; err != nil {
		t.Errorf("on its way out: %v", err)
	}
	other := w.process(t, Config{})
	if err := other.TryLock(t.Context(), "n", new(Turn)); !errors.Is(err, queue.ErrHeld) {
		t.Errorf("from another process: %v", err)
	}
	if other.Len() != 0 {
		t.Error("a try that failed has left something")
	}
}
