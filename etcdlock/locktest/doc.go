// Package locktest is for tests of code that takes locks: a Locker on an etcd in
// memory, and a suite that says whether a lock keeps its promises.
//
//	func TestImport(t *testing.T) {
//		locker := locktest.NewLocal(t, nil)
//		shop := NewShop(locker)
//		if err := shop.Import(t.Context()); err != nil {
//			t.Fatal(err)
//		}
//	}
//
// # A Locker without an etcd
//
// [NewLocal] returns an *etcdlock.Locker, the real one with the real protocol;
// only the server behind its client is in memory. It costs no process, port or
// file, and tests that run in parallel do not meet. When a test ends with a lock
// still held, it fails.
//
// Several processes are several Lockers of one [Cluster]. With
// [Cluster.Expire] a test sees what its code does when a lock is lost, and with
// [Cluster.Cut] when etcd is away.
//
// # A suite for locks
//
// [Run] holds an implementation to the contract of package etcdlock: exclusion
// between goroutines and between processes, waiting in line and leaving it,
// the errors, loss, nesting, names, closing. A [Harness] says how to make
// Lockers and what they claim beyond mutual exclusion; a case whose feature is
// not claimed skips and says so. The errors of an implementation match the
// sentinels of package etcdlock.
//
//	func TestMyLock(t *testing.T) {
//		locktest.Run(t, func(t *testing.T) locktest.Harness {
//			store := newStore(t)
//			return locktest.Harness{
//				New:      func() locktest.Locker { return store.locker() },
//				Features: locktest.Features{Several: true},
//			}
//		})
//	}
//
// # What it does not promise
//
// That etcd will never behave otherwise: the one in memory is compared with a
// real one by random operations, but it has one member, no disk and no network.
// Test at least once against a real etcd what must hold in production.
//
// The suite shows faults, not their absence. It looks neither at speed nor at
// what happens when a process is stopped or a server crashes.
//
// A Locker cannot be used inside a testing/synctest bubble: the watches of the
// etcd client keep the clock of the bubble from moving.
package locktest
