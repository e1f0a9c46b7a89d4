// Package queue is the global queue of a name in etcd, and a place in it. It is the global
// lock of the cohort lock that package etcdlock is: a CLH queue, in which each waiter watches
// its predecessor, with the hand-off of an MCS lock, in which the owner names its successor.
// It knows nothing of goroutines that share a place: that is package cohort, above. Below it
// is package session.
//
//	Space   the queues below one namespace, as this process reads and writes them
//	Queue   the queue of one name, and what this process watches of it
//	Node    one key in it: the place that this process has, had, or may come to have
//	Member  any key in it, as etcd shows it
//
// # The states of a node
//
// The node with the lowest create revision owns the name. The state of a Node says what is
// known of its key:
//
//	new           it was sent nothing of its own; the exchange that puts it may be under way
//	maybe queued  a request that puts the key had no answer: it may be there
//	queued        the key is there, behind another
//	owner         the key is there, and no other is before it
//	gone          the process counts on it no more: etcd has deleted the key, or is asked to
//
// and changes like this, where anything but gone may become gone:
//
//	new          -> maybe queued   send: no answer
//	new, maybe   -> queued, owner  send: etcd tells who is before it
//	queued       -> owner          Await: the predecessor has left, and a snapshot, the
//	                               predecessor's hand-off or a check says that nobody is before
//	owner        -> gone           Release, HandOff: etcd has deleted the key
//	any          -> gone           leave: somebody deleted the key; abandon: it was given up
//
// The state is about the key. The node's context is about the process: it ends as soon as the
// process does not count on the place any more, with ErrLost if that was taken away. What
// etcd still has to be asked, for the key to be gone, goes on after that. A lease that has
// ended takes its keys along, so then nothing changes the state any more.
//
// Two facts about requests outlive the states. A sending of the enqueueing that had no answer
// may put the key late, when it is gone (Node.late); a sweep that had none may delete late
// (Node.stray). The slot of the key is given back only when neither can happen.
//
// # Who may touch what
//
// One goroutine at a time runs a node through Enqueue, Await and HandOff or Release, in this
// order, and passes it on with a happens-before edge; the fields of a Node are its own.
// Any goroutine may call Deleted, End, Standing and the accessors at any time: what they
// touch is atomic, a context, or guarded by the queue's mutex. Queue.mu guards which watches
// a queue has and what they show; it is held for moments only, never while etcd is asked or
// a callback runs. A caller may hold a mutex of its own when it calls what does not block:
// Standing, Deleted, End, Drop, OnLoss, SayInUse, and Watch, Forget and Close of a Queue.
//
// # Watches
//
// There is one type, watch, over a scope: the whole queue, of which it keeps a snapshot, or
// the keys of the predecessor's lease, of which it keeps the last departure. Await is the one
// loop that waits, with either.
package queue
