// Package session keeps what the locks of one process live on in etcd. It is the
// lowest layer of package etcdlock and knows nothing of queues:
//
//	Session   a lease that is kept alive, and replaced when it is lost
//	Lease     its validity by this machine's clock, its keepalive, its end
//	Call      one bounded request, and whether etcd answers at all
//	Watch     a watch that survives compaction and lost streams
//	Spawn     goroutines that Stop waits for
//	Slots     numbers for the keys that a lease has
//	Final     what asking again will not change
package session
