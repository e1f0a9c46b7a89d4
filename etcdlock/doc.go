// Package etcdlock is a distributed lock on etcd, first come first served.
//
// Two processes that update the same thing must take turns, also when one of
// them dies, or is cut off from etcd, or takes the same lock twice from two
// goroutines. A [Locker] gives each of them its turn and tells a holder at
// once when its turn is over before its time:
//
//	locker, err := etcdlock.New(client, nil)
//	if err != nil {
//		return err
//	}
//	defer locker.Close(context.Background())
//
//	return locker.Do(ctx, "order", func(ctx context.Context) error {
//		return save(ctx, order) // ctx ends when the lock is lost
//	})
//
// # Taking and giving back
//
// [Locker.Lock] waits, [Locker.TryLock] does not, [Locker.LockWithTTL] and
// [Locker.TryLockWithTTL] take a lock that ends by itself after a term, which
// [Lock.Extend] begins again, [Locker.ForceLock] removes all in front, and
// [Locker.Do] wraps a function. The [Lock] they return has a context: do the work
// with it. [Lock.Unlock] gives the lock back even when the caller's context is over.
//
// Goroutines of one process exclude one another like processes do, but stand
// in etcd's queue as one: [Lock.Unlock] hands the hold to the next of them
// without asking etcd, and a hold that none of them wants stays for
// Options.Linger, so that locking the name again asks etcd nothing either. As
// soon as another process wants it, by Lock or by TryLock, it gets the lock: a hold
// that lingers leaves at once, one that is handed on after Options.MaxTurns turns or
// Options.MaxHold. LockWithTTL neither hands on nor lingers. A call
// under the context of a hold may take the same name again and gets a nested
// Lock; goroutines that share such a context share the hold.
//
// Several names given to one call are taken in sorted order, so that callers
// with overlapping sets do not deadlock. A name that sorts before one that is
// held already is waited for as well, but within a bound: an [OrderError] says that
// the wait could be part of a deadlock, because nothing has moved for
// Options.DeadlockTimeout.
//
// # What is in etcd
//
// Every contender puts a key of its own, on the lease of its process, under
// the directory of the name; the key with the lowest create revision holds the
// lock, and each of the others watches the one before it, or all of a short
// queue. The key's value tells host, process, service, data of
// one's own and time, which [Locker.Holders] and [Locker.List] read. The directory is the
// namespace and the name as it is, see [Locker.Path]. There concurrency.Mutex, etcdctl
// lock and the v3lock service (jetcd) put the keys of a lock of that path, and all of them
// exclude one another. Options.RawNames leaves the namespace away.
//
// A Locker keeps one lease for all its locks. It counts the lease as valid
// from before the moment it asked for it, less a margin, on a clock that goes
// on while the machine sleeps, and it watches a key on the lease to notice a
// revoked lease at once. When the lease is lost, the contexts of all holds end
// with ErrLost, and a new lease is made as soon as etcd answers.
//
// # What is promised
//
//   - No two holders of a name at the same time, while leases are honoured:
//     while no holder works on after its context has ended.
//   - First come, first served, across processes; the goroutines of one
//     process queue among themselves and stand in etcd one at a time.
//   - A hold's context ends when the lease is revoked, the key is deleted, or
//     the lease could not be renewed in time.
//   - Nothing is left in the queue after a cancelled wait, a lost answer or a
//     Close; what a process that died leaves behind goes with its lease.
//   - A number that grows from hold to hold, [Lock.Token], and a [FencingToken] that grows
//     from holder to holder: within a hold it counts the turns, and within a turn the
//     writes that it is drawn for.
//
// # What is not promised
//
// Exclusion against a paused holder. A process that is stopped, or a write
// that is still under way, does not notice that the lease ran out; when it
// goes on, another may hold the lock already. Nothing in this package can
// prevent that. A store can, by refusing what an older holder wants: see
// [FencingToken] for what to show it, and by which rule it accepts that. Locked repositories do that by
// themselves.
//
// A lock whose holder died is free after the TTL at the earliest. etcd starts
// the TTL again when its leader changes, so it can take longer. This is so for
// a hold that lingers, too: a process that is killed within Options.Linger of
// its last use of a name keeps the others waiting. NoLinger avoids that.
//
// An Unlock that tells of every loss, or that leaves the name free. One that
// hands the hold on, or lets it linger, asks etcd nothing, and one of a hold
// that others wait for does not wait for the answer; that somebody deleted the
// key just before is then noticed a moment later, by the watch, and ends the
// next turn instead.
//
// Fairness within one process is by the order in which goroutines call, across
// processes by the order in which etcd sees them. TryLock and LockWithTTL stand in
// no line of the process; TryLock never overtakes anybody who waits.
package etcdlock
