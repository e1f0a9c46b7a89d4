package mongorepo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
)

// Native returns the collection of the entities, for commands that options cannot say:
// pipelines, updates of many documents. A command with ctx is part of the transaction that
// ctx carries, also that of a session of the user's, and must not run while another call of
// that transaction does.
//
// A locked repository does not give it: no lock is taken, no claim is shown, and no version
// is checked by what it writes. Documents that are marked as deleted, and tombstones, are
// not left out. repo.ErrInTx when ctx carries the transaction of another database.
func (r *Repository[T]) Native(ctx context.Context) (*mongo.Collection, error) {
	if _, err := command.TransactionOf(ctx, r.client(), true); err != nil {
		return nil, wrap(ctx, "native", err)
	}
	return r.coll, nil
}
