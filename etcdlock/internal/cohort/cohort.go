package cohort

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// Config is what Cohorts are made of. All of it must be set.
type Config struct {
	Queue    func(name string, told func()) Queue // makes the global queue of a name
	Spawn    func(f func()) bool                  // runs f in the background, unless that is stopped
	Closing  context.Context                      //nolint:containedctx // when it ends, nothing lingers and no leader goes on
	Linger   time.Duration                        // of a hold that nobody uses, 0 for not at all
	MaxTurns int                                  // that a hold has once another process waits, negative for one turn only
	MaxHold  time.Duration                        // for which it may have them
	Lost     func(name string, cause error)       // is told of a hold that is lost
}

// Cohorts are the names that goroutines of this process hold or want. One
// mutex guards all of them: nothing is waited for while it is held.
type Cohorts struct {
	Config
	mu     sync.Mutex
	byName map[string]*cohort // those where anything goes on
}

// New makes Cohorts.
func New(c Config) *Cohorts { return &Cohorts{Config: c, byName: make(map[string]*cohort)} }

// cohort is one name in this process.
type cohort struct {
	all      *Cohorts
	name     string
	queue    Queue
	line     list.List     // of *Waiter, first come first served
	leader   *leader       // stands in the global queue; nil while the hold is here, or wanted by nobody
	hold     *Hold         // nil while the name is not held
	turn     *Turn         // who uses the hold; nil while it lingers
	going    *Hold         // a former hold whose release is about to be sent; nil most of the time
	leaving  int           // former holds whose release is not answered yet
	departed chan struct{} // closed when leaving goes down; nil while nobody waits for that
}

// Waiter is a goroutine in line.
type Waiter struct {
	turn   *Turn      // which it wants to have
	served chan error // has room for one: nil once the turn has begun
	holds  bool       // its context holds other names
}

// at returns the cohort of a name. The caller holds the mutex, and leaves
// the cohort with something going on, or calls advance.
func (a *Cohorts) at(name string) *cohort {
	c := a.byName[name]
	if c == nil {
		c = &cohort{all: a, name: name}
		c.queue = a.Queue(name, c.told)
		a.byName[name] = c
	}
	return c
}

// advance does what comes next: hand the hold to the next in
// line, let it linger, part with it, send a leader for it, or call that off. The
// caller holds the mutex; it releases the hold returned, if any, without it.
func (c *cohort) advance() (leaves *Hold) {
	if h := c.hold; h != nil && c.turn == nil {
		switch front := c.line.Front(); {
		case front != nil && h.passes():
			w := c.line.Remove(front).(*Waiter)
			c.begin(w.turn)
			w.served <- nil
		case front == nil && h.lingers():
			h.linger()
		default:
			leaves = c.detach()
		}
	}
	switch {
	case c.hold != nil:
	case c.leader == nil && c.line.Len() > 0 && c.going == nil:
		c.sendLeader()
	case c.leader != nil && c.leader.stop != nil && c.line.Len() == 0:
		c.leader.stop()
		c.leader = nil
	}
	if c.line.Len() == 0 && c.leader == nil && c.hold == nil && c.leaving == 0 {
		c.queue.Close()
		delete(c.all.byName, c.name)
	}
	return leaves
}

// begin starts the next turn of the hold.
func (c *cohort) begin(t *Turn) {
	h := c.hold
	h.awake()
	h.turns++
	if h.turns > 1 && !h.wanted {
		c.queue.Watch()
	}
	t.start(h.ctx, h.node, h, h.turns)
	c.turn = t
}

// detach ends the hold without releasing it in the global queue.
func (c *cohort) detach() *Hold {
	h := c.hold
	c.hold, c.going = nil, h
	c.leaving++
	h.end()
	return h
}

// lingers reports whether the cohort has a hold that nobody uses.
func (c *cohort) lingers() bool { return c.hold != nil && c.turn == nil }

// told is what the queue is told of with each change.
func (c *cohort) told() {
	c.all.mu.Lock()
	var leaves *Hold
	if c.hold != nil {
		leaves = c.hold.observe()
	}
	c.all.mu.Unlock()
	c.all.LetGo(leaves)
}

// LetGo releases a hold that has left its cohort, if it is not nil, in the background.
func (a *Cohorts) LetGo(h *Hold) {
	if h != nil {
		a.Spawn(func() { _ = h.Release() })
	}
}

// Rush ends the lingering of all holds. Closing has ended, so none
// lingers from then on.
func (a *Cohorts) Rush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.byName {
		if c.lingers() {
			a.LetGo(c.detach())
		}
	}
}

// LeaseLost ends the holds of a lease that has ended, as their contexts say, so that the
// goroutines in line go on.
func (a *Cohorts) LeaseLost() {
	var lost []*Hold
	a.mu.Lock()
	for _, c := range a.byName {
		if c.hold != nil && errors.Is(context.Cause(c.hold.ctx), session.ErrLost) {
			lost = append(lost, c.hold)
		}
	}
	a.mu.Unlock()
	for _, h := range lost {
		h.gone()
	}
}

// Disown ends the hold of the name that is older than the token, because another has taken
// the name by force, before a watch tells so.
func (a *Cohorts) Disown(name string, token int64) {
	var lost Node
	a.mu.Lock()
	if c := a.byName[name]; c != nil && c.hold != nil && c.hold.node.Token() < token {
		lost = c.hold.node
	}
	a.mu.Unlock()
	if lost != nil {
		lost.Deleted()
	}
}

// Status is how things stand with a name in this process.
type Status struct {
	InLine  int     // goroutines in line
	Blocked *Waiter // the first of them that holds other names; nil if there is none
	Node    Node    // of the hold; nil if there is none
	Turn    int64   // number of the turn, 0 while there is no hold or it lingers
	Wanted  bool    // the hold knows that another process waits
}

// Status tells how things stand with the name.
func (a *Cohorts) Status(name string) (s Status) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.byName[name]
	if c == nil {
		return s
	}
	s.InLine, s.Blocked = c.line.Len(), c.blocked()
	if h := c.hold; h != nil {
		s.Node, s.Wanted = h.node, h.wanted
	}
	if c.turn != nil {
		s.Turn = c.turn.N
	}
	return s
}

// Len is how many names goroutines of this process hold or want, or are about to have left.
func (a *Cohorts) Len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.byName)
}

// blocked returns the first goroutine in line that holds other names, nil if there
// is none: who holds nothing keeps nobody waiting. The caller holds the mutex.
func (c *cohort) blocked() *Waiter {
	for at := c.line.Front(); at != nil; at = at.Next() {
		if w := at.Value.(*Waiter); w.holds {
			return w
		}
	}
	return nil
}
