package mongorepo

import "context"

// TxStore identifies the client whose transactions InTx opens; see driver.TxSource.
// It returns ErrUnsupported when the server is neither a replica set nor sharded,
// which it asks the server until the answer is that it is.
func (r *Repository[T]) TxStore(ctx context.Context) (any, error) {
	if err := r.tx.check(ctx, r.client()); err != nil {
		return nil, wrap(ctx, "transaction", err)
	}
	return r.client(), nil
}
