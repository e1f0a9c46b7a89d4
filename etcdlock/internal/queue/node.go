package queue

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// state is what is known of a node's key, see the documentation of the package.
type state int32

const (
	unsent state = iota
	maybeQueued
	queued
	owns
	gone
)

// Node is one key in the queue of one name, put there by this process.
type Node struct {
	q      *Queue
	lease  *session.Lease
	key    string
	number uint64 // of the key
	others uint64 // how many other keys of the lease may be in the queue
	since  time.Time
	state  atomic.Int32
	rev    int64 // create revision, 0 while unknown

	// What is known of the nodes around it.
	pred         string // key of the predecessor, "" if there is none or it is not known
	asOf         int64  // revision at which pred was that, 0 while it is not known
	ahead        int64  // how many were before it when it was put, or unknown
	waited       bool   // there was a predecessor on another lease
	hasSuccessor bool   // what made it the owner told that somebody is behind

	// What requests without an answer may do yet.
	late  bool // put the key
	stray bool // delete it

	ctx    context.Context //nolint:containedctx // it lives as long as the place
	cancel context.CancelCauseFunc
	loss   func()      // told when the key was deleted; guarded by the queue's mutex
	guard  *time.Timer // starts a watch on the own key

	drawn sync.Once
	fence string // once it was asked for
}

func (q *Queue) newNode(lease *session.Lease) *Node {
	n := &Node{q: q, lease: lease, since: time.Now().UTC()}
	n.takeSlot()
	n.ctx, n.cancel = context.WithCancelCause(lease.Ctx())
	return n
}

// is reports whether the node is in that state.
func (n *Node) is(s state) bool { return state(n.state.Load()) == s }

// become changes the state, of which gone is the last.
func (n *Node) become(s state) {
	for {
		was := n.state.Load()
		if state(was) == gone || n.state.CompareAndSwap(was, int32(s)) {
			return
		}
	}
}

// placed notes who is right before the node at a revision, and how things stand with that.
func (n *Node) placed(before []*mvccpb.KeyValue, asOf int64) {
	n.asOf = asOf
	if len(before) == 0 {
		n.pred = ""
		n.become(owns)
		return
	}
	n.pred = string(before[0].Key)
	n.waitsFor(n.pred)
	n.become(queued)
}

// waitsFor notes that the node waits for who has the key.
func (n *Node) waitsFor(key string) { n.waited = n.waited || !strings.HasPrefix(key, n.leasePrefix()) }

// unplaced notes that the node is in the queue, and that it is not known who is before it.
func (n *Node) unplaced() {
	n.pred, n.asOf, n.ahead = "", 0, unknown
	n.become(queued)
}

// Context ends when the process does not count on the place any more, with
// session.ErrLost if that is because it was taken away.
func (n *Node) Context() context.Context { return n.ctx }

// Alive reports whether the lease of the node is valid right now.
func (n *Node) Alive() bool { return n.lease.Alive() }

// Remaining is how long that is sure to be so still.
func (n *Node) Remaining() time.Duration { return n.lease.Remaining() }

// Gone reports whether the key is out of the queue.
func (n *Node) Gone() bool { return n.is(gone) }

// Name is the name in whose queue the node is.
func (n *Node) Name() string { return n.q.name() }

// Token is the create revision of the key.
func (n *Node) Token() int64 { return n.rev }

// Member returns what etcd shows of the node.
func (n *Node) Member() Member {
	m := Member{Name: n.q.name(), Key: n.key, Revision: n.rev, Lease: int64(n.lease.ID), Owner: n.q.sp.Self}
	m.Since = n.since
	return m
}

// Fence returns a text that no other node ever has. It is the node's own, not the
// session's: a session that outlives the restoration of an etcd could be given one
// token twice. It is drawn when it is first asked for.
func (n *Node) Fence() string {
	n.drawn.Do(func() { n.fence = rand.Text() })
	return n.fence
}

// End ends the node's context, unless it has ended already, and all that looks after
// the node. The key stays.
func (n *Node) End() {
	n.unguard()
	n.cancel(nil)
}

// isIn reports whether what was read of the node's key shows its place.
func (n *Node) isIn(own []*mvccpb.KeyValue) bool {
	return len(own) > 0 && own[0].CreateRevision == n.rev
}

// unguard begins no watch on the own key any more, because somebody else looks
// after that.
func (n *Node) unguard() {
	if n.guard != nil {
		n.guard.Stop()
		n.guard = nil // only the goroutine that can still stop a timer keeps it
	}
}

// takeSlot gives the node a key that is not in the queue, and that nothing
// under way can put there or take away.
func (n *Node) takeSlot() {
	n.number, n.others = n.lease.Slots.Draw(n.q.name())
	n.key = n.leasePrefix() + strconv.FormatUint(n.number, 10)
}

// vacate lets others use the node's key. It is not in the queue any more, and
// whatever may arrive late is guarded by its create revision.
func (n *Node) vacate() { n.lease.Slots.GiveBack(n.q.name(), n.number) }

// leasePrefix is what all keys of the node's lease in the queue begin with.
func (n *Node) leasePrefix() string { return n.q.path + n.lease.Name() + "-" }

// place is where the snapshot has the node.
func (n *Node) place() place { return place{n.key, n.rev} }
