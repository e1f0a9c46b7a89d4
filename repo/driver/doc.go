// Package driver is what a backend and a wrapper of repositories need in addition to
// package repo: queries and documents in checked form, the fence and the transaction of a
// context, and the interfaces by which a wrapper finds what a backend can do. Services
// that use repositories do not need it.
//
// A backend implements [repo.Repository]. It compiles options with [Compile] and documents
// with [Decode], joins the transaction that [TxFrom] finds, and shows the claims of
// [FenceFrom] before it reads or writes. The interfaces here are optional; what a backend
// does not implement, a wrapper does in a plainer way or refuses. Package repotest checks
// all of it.
package driver
