package mongorepo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
)

// MoveGuard makes to the key that guards the collection, where from does now.
// It is one step of three in renaming a key while processes run:
//
//  1. Start processes that hold both keys, and end all that hold only from.
//  2. Call MoveGuard once.
//  3. Start processes that hold only to, and end those that hold both.
//
// From then on a process that holds only from is refused with repo.ErrWrongKey
// when it starts, and one that still runs by the first document that another
// one has read by its id or written since. Until then it can write documents
// that nobody has touched since the move; no update of one is lost by that, but
// what transactions read by queries is not protected from it. So end them first.
//
// It is one write with majority and journal. Where to is the guard already it
// does nothing, so it can be called again after an error. It returns a
// *repo.WrongKeyError where neither of the two is the guard,
// repo.ErrNotFound where none is registered yet, and repo.ErrInvalid for an
// empty key or two equal ones.
func MoveGuard(ctx context.Context, coll *mongo.Collection, from, to string) error {
	return wrap(ctx, "move guard", fence.Move(ctx, coll, from, to))
}

// MoveGuard makes to the key that guards the repository's collection; see
// [MoveGuard].
func (r *Repository[T]) MoveGuard(ctx context.Context, from, to string) error {
	return MoveGuard(ctx, r.coll, from, to)
}

// AdvanceEpoch makes every claim that is shown to db's collections from now on
// newer than all that were shown before. It is the way out after etcd was
// restored from a backup or made again, so that its revisions start lower than
// what the documents hold, and every write is refused. Call it once, while no
// process writes under a lock of the old etcd. Repositories notice it when they
// are refused, and need no restart. It is one write with majority and journal;
// after an error it may have happened, and calling it again is harmless.
func AdvanceEpoch(ctx context.Context, db *mongo.Database) error {
	if db == nil {
		return fmt.Errorf("mongorepo: advance epoch: %w: nil database", repo.ErrInvalid)
	}
	return wrap(ctx, "advance epoch", fence.Advance(ctx, db))
}
