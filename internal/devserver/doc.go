// Package devserver runs the servers that Holdfast is tested against inside
// the calling process: etcd, with one member or three, and a stand-in for
// MongoDB. A machine that has only Go can therefore run every test and example.
//
//	srv, err := devserver.StartEtcd(ctx, dir, nil)
//	if err != nil {
//		return err
//	}
//	defer srv.Close()
//	cli, err := srv.Client()
//
// # Rules
//
// Every server listens on loopback only, is ready when its Start function
// returns, and is silent unless a log writer is given. Close ends its
// goroutines and frees its ports; the folder belongs to the caller.
//
// # Cost
//
// This package pulls in the etcd server and FerretDB. Only integration_test,
// the examples and the programs under internal/cmd may import it, so that
// users of the library never get those modules into their builds.
//
// # What it does not promise
//
// These servers are for tests and demonstrations. The MongoDB stand-in has no
// transactions, no replica set and no sessions that mean anything; it is not
// MongoDB, and passing on it is no proof for MongoDB.
package devserver
