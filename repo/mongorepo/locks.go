package mongorepo

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo"
)

// locksCollection is where a database keeps the epoch, under the id 0, and for
// transactions a document for each lock, under its key.
const locksCollection = "holdfast_fence"

// epochID is no text, so that no key of a lock is like it.
const epochID = 0

// locks is that collection, and what is known of it.
type locks struct {
	coll commands

	mu    sync.Mutex
	known bool
	last  int64 // the epoch as it was last read
	// there are the keys whose documents exist. They are never deleted.
	there map[string]bool
}

func newLocks(db *mongo.Database) *locks {
	return &locks{coll: firm(db.Collection(locksCollection)), there: map[string]bool{}}
}

// epoch returns the epoch as it was last read. An old one makes claims that are
// older than they should be: they are refused, and then it is read again.
func (l *locks) epoch(ctx context.Context) (int64, error) {
	l.mu.Lock()
	known, last := l.known, l.last
	l.mu.Unlock()
	if known {
		return last, nil
	}
	return l.refresh(ctx)
}

// refresh reads the epoch, outside of any transaction.
func (l *locks) refresh(ctx context.Context) (int64, error) {
	var doc struct{ Epoch int64 }
	raw, err := l.coll.findOne(outside(ctx), bson.D{{Key: "_id", Value: epochID}})
	if err == nil {
		err = bson.Unmarshal(raw, &doc)
	}
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known, l.last = true, max(l.last, doc.Epoch)
	return l.last, nil
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
	_, err := newLocks(db).coll.updateOne(ctx, bson.D{{Key: "_id", Value: epochID}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "epoch", Value: int64(1)}}}}, options.UpdateOne().SetUpsert(true))
	return wrap(ctx, "advance epoch", err)
}

// ensure makes the document of a lock. A transaction could not: the duplicate
// key of one that is there would abort it.
func (l *locks) ensure(ctx context.Context, key string) error {
	l.mu.Lock()
	there := l.there[key]
	l.mu.Unlock()
	if there {
		return nil
	}
	err := l.coll.insertOne(outside(ctx), bson.D{{Key: "_id", Value: key}})
	if err != nil && !isDuplicateKey(err) {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.there[key] = true
	return nil
}

func (l *locks) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.there, key)
}

// raisedKey finds the claim that a transaction has shown for a lock. Several
// databases can take part in one.
type raisedKey struct{ db, key string }

// raiseTx shows those claims to the documents of their locks that the
// transaction has not shown yet in this try. They are written in it, so two
// transactions of one lock conflict, and the older claim is refused.
func (r *Repository[T]) raiseTx(ctx context.Context, t *transaction, cs claims) error {
	for _, c := range cs {
		at := raisedKey{r.coll.Database().Name(), c.Key}
		if _, done := t.shown(at); done {
			continue
		}
		if err := r.locks.raise(ctx, c); err != nil {
			t.spoil(err)
			return err
		}
		t.show(at, c)
	}
	return nil
}

func (l *locks) raise(ctx context.Context, c claim) error {
	if err := l.ensure(ctx, c.Key); err != nil {
		return fmt.Errorf("making the document of lock %q: %w", c.Key, err)
	}
	id := bson.D{{Key: "_id", Value: c.Key}}
	cs := claims{c}.anywhere() // locks guard many collections
	res, err := l.coll.updateOne(ctx, and(id, cs.accept()), updateOf(cs.set(), nil))
	if err != nil || res.MatchedCount == 1 {
		return err
	}
	raw, err := l.coll.findOne(outside(ctx), id)
	if errors.Is(err, mongo.ErrNoDocuments) {
		l.forget(c.Key)
		return &retryError{fmt.Errorf("the document of lock %q is gone", c.Key)}
	}
	if err != nil {
		return err
	}
	refused := cs.refusedBy(fenceOf(raw))
	if refused == nil { // it was made after the transaction began
		return &retryError{fmt.Errorf("the document of lock %q was not seen", c.Key)}
	}
	epoch, err := l.refresh(ctx)
	if err != nil {
		return err
	}
	if epoch != c.Epoch() {
		return &retryError{refused}
	}
	return refused
}

// retryError has the driver abort the transaction and call its function again.
type retryError struct{ err error }

func (e *retryError) Error() string { return e.err.Error() }

// Unwrap returns the reason.
func (e *retryError) Unwrap() error { return e.err }

// HasErrorLabel claims the label that the driver repeats for.
func (e *retryError) HasErrorLabel(label string) bool { return label == transientTransaction }

// The labels that servers and driver put on errors of transactions.
const (
	transientTransaction = "TransientTransactionError"
	unknownCommit        = "UnknownTransactionCommitResult"
)
