package gormrepo

import (
	"context"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo/driver"
)

// Native returns a handle on the table of the entities, for statements that options cannot
// say: joins, windows, reports. Its statements are part of the transaction that ctx
// carries, as those of the repository are. It can be used more than once.
//
// A locked repository does not give it: no lock is taken, no claim is shown, and no version
// is checked by what it writes. In InTx of a locked repository it is protected as far as it
// stays within the tables whose repositories InTx was given. GORM leaves out rows that are
// marked as deleted where the type has a gorm.DeletedAt. repo.ErrInTx when ctx carries the
// transaction of another database.
func (r *store) Native(ctx context.Context) (*gorm.DB, error) {
	if err := r.checkTx(ctx); err != nil && !r.foreign {
		return nil, r.failed(ctx, "native", err)
	}
	tx := r.db.WithContext(ctx)
	if r.TxState(ctx) == driver.TxJoined {
		tx = r.session(ctx, r.pool(ctx))
	}
	return tx.Model(r.newPointer()).Session(&gorm.Session{}), nil
}
