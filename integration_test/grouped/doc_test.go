// Package grouped_test tests group commit with what databases and hooks refuse, and with
// replies that are lost. Its lock is on an etcd in memory.
package grouped_test
