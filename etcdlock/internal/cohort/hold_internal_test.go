package cohort

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// A hold that is lost is handed to nobody, also when the one who gives it back
// is the first to notice. That one need not wait for a release.
func TestHold_LostIsNotHandedOn(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var lost atomic.Int64
	a := w.process(t, Config{Lost: func(string, error) { lost.Add(1) }})
	first := lock(t, a, "n")
	next := waiting(t, a, "n", 0)
	first.Node.(*fakeNode).loseUnnoticed()
	if over := first.Over(); !errors.Is(over, session.ErrLost) {
		t.Errorf("it ended with %v", over)
	}
	if first.Finish() != nil {
		t.Error("what is lost must be released")
	}
	if lost.Load() != 1 {
		t.Errorf("%d losses were told", lost.Load())
	}
	second := <-next
	if second.Node.Token() <= first.Node.Token() {
		t.Errorf("token %d after %d was lost", second.Node.Token(), first.Node.Token())
	}
	unlock(t, second)
}

// A hold that is lost, or whose lease is over, while it lingers is not used
// again, even if nobody has noticed.
func TestHold_LostIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	a := newWorld().process(t, Config{Linger: time.Hour})
	for name, lose := range map[string]func(n *fakeNode){
		"lost":  (*fakeNode).loseUnnoticed,
		"slept": func(n *fakeNode) { n.alive = false },
	} {
		first := lock(t, a, "n")
		unlock(t, first)
		lose(first.Node.(*fakeNode))
		if a.Relock("n", new(Turn)) {
			t.Errorf("%s: it is used again", name)
		}
		second := lock(t, a, "n")
		if second.Node.Token() <= first.Node.Token() || !second.Live() {
			t.Errorf("%s: token %d after %d", name, second.Node.Token(), first.Node.Token())
		}
		unlock(t, second)
	}
}

// However a loss comes to be known, the next in line goes on at once, and the owner of the
// turn and the hook are told, once.
func TestHold_LossIsTold(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(a *Cohorts, n *fakeNode){
		"Deleted":  func(_ *Cohorts, n *fakeNode) { n.Deleted() },
		"Lease":    func(a *Cohorts, n *fakeNode) { n.loseUnnoticed(); a.LeaseLost() },
		"Force":    func(a *Cohorts, n *fakeNode) { a.Disown("n", n.token+1) },
		"Snapshot": func(_ *Cohorts, n *fakeNode) { n.q.Watch(); n.q.w.change(func() { n.remove() }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lost atomic.Int64
			a := newWorld().process(t, Config{Lost: func(name string, cause error) {
				if name == "n" && errors.Is(cause, session.ErrLost) {
					lost.Add(1)
				}
			}})
			first := lock(t, a, "n")
			o := make(owner, 2)
			first.BelongsTo(o)
			next := waiting(t, a, "n", 0)
			lose(a, first.Node.(*fakeNode))
			second := <-next
			<-o
			eventually(t, "the hook", func() bool { return lost.Load() > 0 })
			if err := first.Ended(); !errors.Is(err, session.ErrLost) || errors.Is(err, ErrGivenBack) {
				t.Errorf("it ended with %v", err)
			}
			if first.Finish() != nil || lost.Load() != 1 || len(o) > 0 {
				t.Errorf("%d losses are told to the hook, %d more to the owner", lost.Load(), len(o))
			}
			late := make(owner, 1)
			first.BelongsTo(late)
			<-late
			a.Disown("n", second.Node.Token()) // which is not older
			if !second.Live() {
				t.Error("the next hold is lost too")
			}
			unlock(t, second)
			if err := second.Ended(); fmt.Sprint(err) != fmt.Sprint(ErrGivenBack) {
				t.Errorf("what was given back ended with %v", err)
			}
		})
	}
}

type owner chan struct{}

func (o owner) Lost() { o <- struct{}{} }

// A hold knows from its first moment who queues behind it, and nothing of those around if
// nobody does.
func TestHold_KnowsWhoIsBehind(t *testing.T) {
	t.Parallel()
	for _, followed := range []bool{true, false} {
		w := newWorld()
		before := w.stranger("n", false)
		a := w.process(t, Config{})
		next := waiting(t, a, "n", 0)
		eventually(t, "the leader", func() bool { return w.length("n") == 2 })
		queueOf(a, "n").Watch()
		var behind *fakeNode
		if followed {
			behind = w.stranger("n", false)
		}
		before.Drop()
		turn := <-next
		forgot := queueOf(a, "n").forgets > 0
		if wanted := a.Status("n").Wanted; wanted != followed || forgot == followed {
			t.Errorf("somebody is behind: %v; it knows: %v; it has forgotten those around: %v", followed, wanted, forgot)
		}
		unlock(t, turn)
		if behind != nil {
			behind.Drop()
		}
	}
}

// A hold that others had to leave first lingers only once it has seen that none
// of them is back.
func TestHold_LingersWhenAlone(t *testing.T) {
	t.Parallel()
	for _, seen := range []bool{false, true} {
		w := newWorld()
		before := w.stranger("n", false)
		a := w.process(t, Config{Linger: time.Hour})
		next := waiting(t, a, "n", 0)
		eventually(t, "the leader", func() bool { return w.length("n") == 2 })
		before.Drop()
		turn := <-next
		if seen {
			eventually(t, "the watch that a hold begins after a moment", func() bool {
				w.change(func() {})
				a.mu.Lock()
				defer a.mu.Unlock()
				return a.byName["n"].hold.alone
			})
		}
		unlock(t, turn)
		if lingers := a.Status("n").Node != nil; lingers != seen {
			t.Errorf("it lingers: %v; it has seen that nobody is there: %v", lingers, seen)
		}
	}
}

// A hold that lingers leaves when its time is over, when another process comes, and when the
// process closes; and is watched from its first moment on.
func TestHold_LingeringEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		linger time.Duration
		end    func(w *world, a *Cohorts)
	}{
		"Time":  {time.Millisecond, func(*world, *Cohorts) {}},
		"Other": {time.Hour, func(w *world, _ *Cohorts) { w.stranger("n", false) }},
		"Try":   {time.Hour, func(w *world, _ *Cohorts) { w.stranger("n", true) }},
		"Close": {time.Hour, func(_ *world, a *Cohorts) { a.Rush() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			a := w.process(t, Config{Linger: c.linger})
			turn := lock(t, a, "n")
			q := queueOf(a, "n")
			unlock(t, turn)
			if q.watches != 1 {
				t.Error("it lingers, and nobody would know who comes")
			}
			c.end(w, a)
			eventually(t, "the hold to leave", func() bool { return a.Len() == 0 })
			if turn.Node.(*fakeNode).place() >= 0 || q.closes != 1 {
				t.Error("its place is there still, or what it watches")
			}
		})
	}
}

// A hold that is handed on is watched from that moment on, not only when it has become old.
func TestHold_IsWatchedWhenItStays(t *testing.T) {
	t.Parallel()
	a := newWorld().process(t, Config{})
	first := lock(t, a, "n")
	next := waiting(t, a, "n", 0)
	unlock(t, first)
	second := <-next
	if queueOf(a, "n").watches == 0 {
		t.Error("it is handed on, and nobody would know who comes")
	}
	unlock(t, second)
}

// From when another process is known to wait, the budget is what it is, of turns and of time.
func TestHold_Budget(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		turns int
		hold  time.Duration
		more  int64 // turns that begin after the one in which it is known
	}{
		"Turns":   {3, time.Hour, 3},
		"OneTurn": {1, time.Hour, 1},
		"Time":    {1 << 20, time.Nanosecond, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			a := w.process(t, Config{MaxTurns: c.turns, MaxHold: c.hold})
			turn := lock(t, a, "n")
			queueOf(a, "n").Watch()
			behind := w.stranger("n", false)
			var more int64
			for {
				next := waiting(t, a, "n", 0)
				unlock(t, turn)
				if behind.place() == 0 {
					behind.Drop()
					unlock(t, <-next)
					break
				}
				turn = <-next
				more++
			}
			if more != c.more {
				t.Errorf("%d more turns began, want %d", more, c.more)
			}
		})
	}
}

// A hold in use answers a try that asks, once. Its user then waits for its release.
func TestHold_AnswersTries(t *testing.T) {
	t.Parallel()
	w := newWorld()
	a := w.process(t, Config{Linger: time.Hour})
	turn := lock(t, a, "n")
	h := holdOf(a, "n")
	if !h.Unawaited() {
		t.Error("nobody is there, and its user would not wait")
	}
	queueOf(a, "n").Watch()
	try := w.stranger("n", true)
	other := w.stranger("n", true)
	if w.calls.answers != 1000 {
		t.Errorf("%d answers", w.calls.answers/1000)
	}
	try.Drop()
	other.Drop()
	if !h.Unawaited() {
		t.Error("it has answered, and its user would not wait")
	}
	if h != turn.Finish() {
		t.Error("it lingers although it has said that it does not")
	}
	if err := h.Release(); err != nil {
		t.Error(err)
	}
}

// A wait tells what it holds, for those who look for deadlocks.
func TestStatus(t *testing.T) {
	t.Parallel()
	a := newWorld().process(t, Config{})
	if s := a.Status("n"); s != (Status{}) {
		t.Errorf("of nothing: %+v", s)
	}
	first := lock(t, a, "n")
	second := waiting(t, a, "n", 0)
	if s := a.Status("n"); s.InLine != 1 || s.Blocked != nil || s.Turn != 1 || s.Node != first.Node {
		t.Errorf("with one who holds nothing in line: %+v", s)
	}
	third := make(chan *Turn)
	go func() {
		turn := new(Turn)
		if err := a.Lock(t.Context(), "n", true, turn); err != nil {
			t.Error(err)
		}
		third <- turn
	}()
	eventually(t, "the line", func() bool { return a.Status("n").InLine == 2 })
	if s := a.Status("n"); s.Blocked == nil || s.Blocked != a.Status("n").Blocked {
		t.Errorf("with one who holds another name in line: %+v", s)
	}
	unlock(t, first)
	unlock(t, <-second)
	unlock(t, <-third)
}
