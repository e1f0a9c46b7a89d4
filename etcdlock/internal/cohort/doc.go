// Package cohort lets the goroutines of one process share a place in the global queue of a
// name. It is the local part of a cohort lock (Dice, Marathe, Shavit 2012): the goroutines
// that want a name stand in a line of their own, first come first served. One of them, the
// leader, stands in the global queue for all. What it comes to own is the hold, which they
// use one after the other, a turn each, up to a budget of turns and of time that counts from
// when another process is known to wait. It knows nothing of etcd: the global queue is an
// interface, which package queue implements.
//
//	Cohorts   all names that goroutines of this process hold or want
//	cohort    one of them: its line, its leader, its hold, the turn
//	leader    who stands in the global queue, for the first in line when that ends
//	Hold      a place that owns the name: budget, lingering, release
//	Turn      the use that one goroutine makes of a hold
//	Queue     the global queue, and Node, a place in it
//
// # The states of a cohort
//
//	idle       nobody wants the name, nothing is held: the cohort is forgotten
//	led        a leader stands in the global queue
//	in use     there is a hold, and a turn
//	lingering  there is a hold, and no turn; nobody is in line
//	leaving    a former hold has left and its release is not answered yet. Those in line are
//	           led on at once by the hand-off that releases it, if there are any
//
// advance is the only function that decides what comes next. A function that changes something calls
// it, under the mutex, and afterwards, without it, releases the Hold that it returns.
//
// # Who may touch what
//
// Cohorts.mu guards all that changes in cohorts, holds and the owner of a turn. Nothing is
// waited for while it is held; the methods of Queue and Node that are called under it do not
// block. The queue's callbacks, told and that of OnLoss, run in goroutines of the queue, with
// no mutex, and take this one. The fields of a Turn are set before it is handed to its
// goroutine and do not change.
package cohort
