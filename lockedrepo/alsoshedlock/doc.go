// Package alsoshedlock takes locks in a table of ShedLock together with those of locked
// repositories, while pods run that have the locks of the table alone.
//
//	old, err := alsoshedlock.New(pool, alsoshedlock.PostgreSQL, nil) // one for the process
//	if err != nil {
//		return err
//	}
//	orders, err := lockedrepo.New(plain, locker, &lockedrepo.Options{
//		Key:  "shop.Order",
//		Also: []lockedrepo.Also{{Locker: old, Name: "orders"}},
//	})
//
// Name is the name of the lock in Java. The table is the one of ShedLock's providers for JDBC:
// name, lock_until, locked_at and locked_by. A lock is taken where lock_until has passed,
// extended at a third of its TTL, and given back by a lock_until of now, under a locked_by that no
// other lock has. The row stays, as it does in Java.
//
// # Whose time
//
// With usingDbTime, which its authors recommend, ShedLock compares with the time of the database
// in UTC. So does this package. Without it ShedLock writes the time of the JVM in the zone of
// withTimeZone, or of the JVM: set Options.Zone to that one, and keep the clocks of all pods
// together. All pods must do the same, or a lock seems to be free that is not. On SQLite, which
// ShedLock knows no time of, it is the time of the process in milliseconds since 1970, as the JDBC
// driver of xerial writes it.
//
// On MySQL and MariaDB a column of the type TIMESTAMP depends on the time zone of the session, too: let
// the sessions of Go and Java have the same one, which is that of the server unless somebody
// sets it.
//
// # Connections
//
// Give the Locker a pool of its own, of two connections or more. In a pool that transactions use up a
// lock cannot be extended, and is lost. On SQLite a transaction that writes for nine tenths of the TTL has
// the same effect. A statement that was sent is not called off, because it may have taken the lock: a
// database that does not answer is etcdlock.ErrUnavailable after two seconds, also where LockTimeout
// is shorter.
//
// # What it does not promise
//
// Without usingDbTime a pod of Java that outlives its lockAtMostFor gives back whatever lock is
// there, that of another pod too. Its holder learns of that when it extends the lock.
package alsoshedlock
