// Package txconn is the connection of a transaction of a SQL database, and of a single
// statement outside of one.
//
// Every statement passes through it: those of this library, of GORM, of hooks and of
// callers who were given the handle. New makes a Conn of a transaction that has begun,
// Server.BeginMySQL begins one on MySQL, and NewSingle gives the connection of one
// statement. Conn.End commits, and proves that it did. Through tells whether a plugin of
// GORM sent a statement elsewhere, and Await waits for a free connection of the pool.
package txconn
