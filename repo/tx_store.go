package repo

import "context"

// TxSource is a Transactor that can tell whose transactions it would open before
// it opens one. A locked repository asks it before it takes a lock.
type TxSource interface {
	// TxStore identifies the database that InTx opens transactions on, as Tx.Store
	// does. It returns ErrUnsupported when the store turns out to have no
	// transactions, and ErrInTx for a repository that was made on a transaction. It
	// may ask the server.
	TxStore(ctx context.Context) (any, error)
}
