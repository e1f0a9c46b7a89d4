// Command quickstart shows on real servers what a locked repository is for.
//
// Several worker processes, as many pods of one service, import the same list
// of countries at the same time and then count the stock of a few products
// down and up by read-modify-write: first through a plain repository, which
// loses updates, then through a locked one, which does not. Both are done on a
// SQL database and on MongoDB.
//
//	go run ./examples/quickstart
//	go run ./examples/quickstart --workers 5 --ops 500
//	go run ./examples/quickstart --config my.yaml
//
// Without --config it starts all servers itself in a temporary folder: etcd,
// SQLite, and a stand-in that speaks MongoDB's protocol. With it the servers
// of the file are used, in tables and collections whose names begin with
// holdfast_quickstart_ and which are dropped at the end. It exits with 1 when
// the locked repository loses an update.
package main
