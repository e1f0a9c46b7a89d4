// Package lock_test tests the lock of etcdlock on real etcd servers: holders exclude each other
// and come in order, whatever becomes of messages, leases and servers. Other implementations
// of the lock understand it. The etcd in memory answers as a real one does.
package lock_test
