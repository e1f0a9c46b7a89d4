package cohort

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
)

// Queue is the global queue of one name, as package queue describes it. Watch, Forget and
// Close do not block.
type Queue interface {
	// Enqueue takes a place at the end, Try one that owns the name, or none.
	Enqueue(ctx context.Context) (Node, error)
	Try(ctx context.Context) (Node, error)
	// Watch begins to watch the whole queue, so that Standing knows, and the function given
	// with the queue is told of every change.
	Watch()
	// Forget forgets the predecessor and the successor of this process.
	Forget()
	// Close ends all that is watched.
	Close()
}

// Node is a place in the global queue. Await, HandOff and Release block, all else does not.
type Node interface {
	Await(ctx context.Context) error
	HandOff(answered func()) (next Node, released, queued error)
	Release(answered func()) error
	Drop()    // releases it in the background
	End()     // ends its context
	Deleted() // notes that it was taken away

	OnLoss(f func()) // has f run when it was taken away
	SayInUse()       // answers tries that ask

	Standing() queue.Standing
	Waited() bool       // for another process
	HasSuccessor() bool // as far as known
	Alive() bool        // its lease is valid
	Remaining() time.Duration
	Context() context.Context // ends with the place

	Name() string
	Token() int64
	Member() queue.Member
	Fence() string
}

// Global returns a queue in etcd as a Queue.
func Global(q *queue.Queue) Queue { return global{q} }

// NodeOf returns a node of package queue as a Node.
func NodeOf(n *queue.Node) Node { return node{n} }

// InQueue returns what NodeOf was given.
func InQueue(n Node) *queue.Node { return n.(node).Node }

type global struct{ *queue.Queue }

func (g global) Enqueue(ctx context.Context) (Node, error) {
	n, err := g.Queue.Enqueue(ctx)
	return node{n}, err
}

func (g global) Try(ctx context.Context) (Node, error) {
	n, err := g.Queue.Try(ctx)
	return node{n}, err
}

type node struct{ *queue.Node }

func (n node) HandOff(answered func()) (_ Node, released, queued error) {
	next, released, queued := n.Node.HandOff(answered)
	return node{next}, released, queued
}
