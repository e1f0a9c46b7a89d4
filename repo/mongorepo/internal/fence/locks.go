package fence

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
)

// locksCollection is where a database keeps the epoch, under the id 0, and for
// transactions a document for each lock, under its key.
const locksCollection = "holdfast_fence"

// epochID is no text, so that no key of a lock is like it.
const epochID = 0

// locks is that collection, and what is known of it.
type locks struct {
	coll command.Collection

	mu    sync.Mutex
	known bool
	last  int64 // the epoch as it was last read
	// there are the keys whose documents exist. They are never deleted.
	there map[string]bool
}

func newLocks(db *mongo.Database) *locks {
	return &locks{coll: Firm(db.Collection(locksCollection)), there: map[string]bool{}}
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
	raw, err := l.coll.FindOne(command.Outside(ctx), bson.D{{Key: "_id", Value: epochID}})
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

// Advance makes every claim that is shown from now on newer than all before.
func Advance(ctx context.Context, db *mongo.Database) error {
	_, err := newLocks(db).coll.UpdateOne(ctx, bson.D{{Key: "_id", Value: epochID}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "epoch", Value: int64(1)}}}}, options.UpdateOne().SetUpsert(true))
	return err
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
	err := l.coll.InsertOne(command.Outside(ctx), bson.D{{Key: "_id", Value: key}})
	if err != nil && !command.IsDuplicateKey(err) {
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

// raise shows a claim to the document of its lock, in a transaction.
func (l *locks) raise(ctx context.Context, c claim) error {
	if err := l.ensure(ctx, c.Key); err != nil {
		return fmt.Errorf("making the document of lock %q: %w", c.Key, err)
	}
	id := bson.D{{Key: "_id", Value: c.Key}}
	cs := Claims{c}.anywhere() // locks guard many collections
	res, err := l.coll.UpdateOne(ctx, command.And(id, cs.Accept()), command.SetUnset(cs.Set(), nil))
	if err != nil || res.MatchedCount == 1 {
		return err
	}
	raw, err := l.coll.FindOne(command.Outside(ctx), id)
	if errors.Is(err, mongo.ErrNoDocuments) {
		l.forget(c.Key)
		return &retryError{fmt.Errorf("the document of lock %q is gone", c.Key)}
	}
	if err != nil {
		return err
	}
	refused := cs.refusedBy(Of(raw))
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
func (e *retryError) HasErrorLabel(label string) bool { return label == command.TransientTransaction }
