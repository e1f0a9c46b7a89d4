// Package fencesim_test simulates the fence: an etcd, processes with a lock, and
// a database that checks claims, as one small state, and every thing that can
// happen next as one step. Two holders are tried in all interleavings, three by
// chance. A protocol that lacks one of its rules must lose an update.
//
// # The rules
//
//   - R1: the first statement of every transaction under a hold is a raise: it
//     shows a claim, before anything is read.
//   - R2: every write is one unit with a raise that was accepted.
//   - R3: a raise that is refused, or fails, rolls back.
//   - R4: every writer obeys.
//
// # What stands for what
//
//	model                    Holdfast
//	claim, strictTriple      repo.Claim and its rule
//	steps ask, own           package etcdlock: a key in the queue, and that it has become the first
//	steps take, leave        a hold that is handed on in the process, or lingers
//	step release             etcdlock.Lock.Unlock
//	state.stored             the row of the fence, or the fence in a document
//	transaction              one attempt of a store, with the claims of one call of driver.Fence.Claims
//	transaction.raised       the lock on that row, kept until the transaction ends
//	state.done               the operation ids by which a lost commit is resolved
//
// Workers increment a counter, each once: read it, write what was read plus one.
// They never notice that their lock is gone, however late they are; whatever a
// Lock notices only lets them stop earlier. A transaction sees what is committed
// (READ COMMITTED), and a raise or a write waits for the transaction that has the
// row. What can go wrong: a lease ends, etcd is restored from a backup and gives
// out its revisions again, the database rolls a transaction back and the store
// repeats it with the next attempt, a caller goes away from a transaction, which
// then goes on, or is rolled back, at any later time.
//
// One raise and one read in a single statement is not a shape of its own. Such a
// statement reads before it waits for the row, and so is what R1 forbids.
//
// What is not in here: several keys, whose raises are sorted so that they do not
// deadlock; calls that share a hold, which queue in front of the store; writes
// without a read.
package fencesim_test
