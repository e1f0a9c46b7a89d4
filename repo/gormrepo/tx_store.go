package gormrepo

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
)

// TxStore identifies the database that InTx opens transactions on; see
// driver.TxSource. It asks no server.
func (r *store) TxStore(context.Context) (any, error) {
	if r.foreign {
		return nil, fmt.Errorf("gormrepo: transaction: %w: the repository was made on a transaction", repo.ErrInTx)
	}
	return r.database, nil
}
