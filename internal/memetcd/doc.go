// Package memetcd is an etcd in memory, for tests of code that takes a
// *clientv3.Client: no process, no port, no disk, a new one in microseconds.
//
//	srv := memetcd.New(nil)
//	defer srv.Close()
//	cli := srv.NewClient(ctx, nil)
//	defer cli.Close()
//
// It stands in for the server, not for the client: the KV, Lease and Watcher of
// a client are clientv3's own, so retries, keepalive loops and watch resumption
// behave as they do in production. What is answered here is checked against a
// real etcd by a differential test in integration_test/lock.
//
// # What is there
//
// Ranges (limits, sorting, revision filters, old revisions, counts), puts with
// leases, deletes, nested transactions with every kind of compare, compaction,
// leases that expire, and watches with filters, previous values and history.
// Leases run on the time package, so they expire on the clock of a
// testing/synctest bubble. A watch stops that clock: clientv3's watcher waits on
// a channel from outside the bubble.
//
// Faults are made by an [Interceptor], which sees every call of one client, and
// by [Server.BreakStreams].
//
// # What is not
//
// There is one member and no disk. Cluster, Auth and Maintenance of a client are
// nil, GetStream answers Unimplemented, request sizes are not limited, progress
// notifications come only when asked for, and history older than
// [Options].History changes is compacted by itself.
package memetcd
