// Package embedded has the servers that run inside the test process: an etcd and the stand-in
// for MongoDB, unless ETCD_ENDPOINTS or MONGODB_URI name real ones. A package of tests that
// uses them runs by its [Run].
//
// To link the servers takes time. Tests that need none of them use package runner instead.
package embedded
