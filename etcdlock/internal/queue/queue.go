package queue

import (
	"context"
	"sync"
)

// Queue is the queue of one name, and what this process watches of it. Processes that go on
// wanting a name stand in the same order round after round, so what it knows of those around
// outlives a node.
type Queue struct {
	sp   *Space
	path string // what its keys begin with
	told func() // called, with no mutex held, whenever the snapshot has changed

	mu          sync.Mutex
	closed      bool
	snapshots   *watch // of the whole queue; nil while nobody needs it
	predecessor *watch // of the lease that this process waited behind last; nil while Await has it
	successor   string // the lease that owned the name after the last exchange, "" if that is not known
}

// Queue returns the queue of the name. told may be nil. Close it.
func (sp *Space) Queue(name string, told func()) *Queue {
	return &Queue{sp: sp, path: sp.Path(name), told: told}
}

// name is in the path, so that it takes no memory: a process may have very many queues.
func (q *Queue) name() string { return q.path[len(q.sp.Namespace) : len(q.path)-1] }

// Watch begins to watch the whole queue, if that is not done yet.
func (q *Queue) Watch() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.watchAll()
}

// Forget ends the watch of the predecessor, and names no successor any more.
func (q *Queue) Forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget()
}

// Close ends all watches. Nodes may still leave.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.endSnapshots()
	q.forget()
}

// Below, the caller holds the mutex.

func (q *Queue) watchAll() {
	if q.snapshots == nil {
		q.snapshots = q.startWatch(q.path, true)
	}
}

func (q *Queue) endSnapshots() {
	q.snapshots.end()
	q.snapshots = nil
}

func (q *Queue) endPredecessor() {
	q.predecessor.end()
	q.predecessor = nil
}

func (q *Queue) forget() {
	q.endPredecessor()
	q.successor = ""
}

// Above, the caller holds the mutex.

// expectedSuccessor returns the lease that stood behind the last exchange, "" if there
// is none to rely on: processes that go on wanting a name stand in the same order
// round after round. An exchange that names somebody who is not there is sent twice.
func (q *Queue) expectedSuccessor() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.successor
}

// succeeded records which lease owns the name after an exchange by the lease self.
func (q *Queue) succeeded(owner, self string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if owner == self || q.closed { // nobody is behind, or nobody wants to know
		owner = ""
	}
	q.successor = owner
}

// borrow gives the lasting watch of the predecessor to one node that waits, in place of
// that of the whole queue: the news of a watch are for one.
func (q *Queue) borrow(ctx context.Context) *watch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if ctx.Err() != nil { // the wait was called off, and what the queue has is for others
		return nil
	}
	q.endSnapshots()
	w := q.predecessor
	q.predecessor = nil
	if w != nil && w.failure != nil { // while nobody waited
		w.end()
		return nil
	}
	return w
}

// giveBack keeps the watch for the next wait, unless this one has failed or was called off:
// another may wait already, for news that this one has taken.
func (q *Queue) giveBack(ctx context.Context, w *watch, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil || ctx.Err() != nil || q.closed {
		w.end()
		return
	}
	q.predecessor = w
}
