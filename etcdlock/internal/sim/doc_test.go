// Package sim_test simulates the queue protocol of package etcdlock: an etcd,
// clocks and clients as one small state, and every thing that can happen next as
// one step. Two contenders are tried in all interleavings, more of them by
// chance. A protocol with a step switched off must fail.
//
// # What stands for what
//
//	model                        package etcdlock
//	enqueue, enqueueError        Node.enqueue, Node.send
//	enqueueCheck, check, recheck Node.check
//	open, wait, backoff          Node.Await, watch, Session.Watch
//	owned                        Node.become, Hold
//	release, releaseError        Node.Release
//	exchange, carried            Node.HandOff, exchanged
//	successor, next              Node.handOff, watch.verdict
//	taken, spent                 Slots
//	sweep, sweepWait, lastSweep  Node.abandon, Node.leave
//	seen                         Node.sweepLate
//	guard                        Node.watchOwnKey, Node.Deleted
//	renew, renewThere, renewHere Lease.Renew, Lease.extend
//	expireHere                   Lease.Expire
//	sentinel                     Session.open
//	retire                       Lease.Retire
//	config.lose                  Lease.Lose, Node.enqueue, Node.Await, Node.Release
//	left                         Hold.Release, cohort.advance
//
// Each attempt of a client is a machine of its own, because what cleans up
// after one goes on while the next has begun. A request is sent, carried out and
// answered in three steps, and others move in between. One whose sender has
// given up on it still travels, and arrives at any later time or never.
//
// Delays that the code chooses are not counted: Node.leave waits longer
// than any request can travel, so the model lets it go on once the request has
// arrived or is lost. Leases are counted, in ticks.
//
// A call that is cancelled while its enqueueing travels waits for the answer in the
// background, so it gives up in no phase of its own. A try that asks is a waiter that
// gives up.
//
// A check that one member answers by itself, and a snapshot, are answers
// that were carried out when their revision was the newest and took longer on
// their way, so they need no steps of their own.
//
// What a process does with a hold that it has, such as keeping it for the next
// goroutine, belongs between owned and release: a step there changes the node
// and nothing else here.
package sim_test
