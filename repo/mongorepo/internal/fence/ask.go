package fence

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
)

// What asking after a write can find.
var (
	ErrNotWritten = errors.New("it was not written")
	ErrAbsent     = errors.New("the document is not there")
	// It may have been overwritten, or have come too late.
	ErrOvertaken = errors.New("a newer holder of the lock has been at the document")
)

// ask finds out whether the write that would have stored the claims in the
// document has happened: nil when it has, ErrNotWritten when it has not and
// never can, ErrAbsent when there is no document. It stores the next attempt's
// claims, so that a write that is still under way comes too late. Any other
// error means that it cannot be told.
func ask(ctx context.Context, coll command.Collection, id bson.D, presented, next Claims) error {
	opts := options.FindOneAndUpdate().SetReturnDocument(options.Before)
	raw, err := coll.FindOneAndUpdate(ctx, command.And(id, next.Accept()), command.SetUnset(next.Set(), nil), opts)
	switch {
	case err == nil && presented.StoredIn(Of(raw)):
		return nil
	case err == nil:
		return ErrNotWritten
	case !errors.Is(err, mongo.ErrNoDocuments):
		return err
	}
	n, err := Fresh(coll.Coll).Count(ctx, id)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrAbsent
	}
	return ErrOvertaken
}

// Ask finds out whether the write that would have stored the claims in the document
// has happened, with the next attempt's claims; see [ask].
func (f *Fence) Ask(ctx context.Context, id bson.D, presented Claims) error {
	next, _, err := f.draw(ctx)
	if err != nil {
		return err
	}
	return ask(ctx, f.firm, id, presented, next)
}

// AskCommit does the same for the commit of a transaction, in which its claims were
// written: nil when it has happened, lost when it has not and never can, else a
// *repo.UnknownError.
func (f *Fence) AskCommit(ctx context.Context, t *command.Transaction, lost error) error {
	next, _, err := f.draw(ctx)
	if err != nil {
		return &repo.UnknownError{Op: "commit", Err: err}
	}
	for _, c := range next {
		note, _ := t.Note(f.lockKey(c))
		shown, ok := note.(claim)
		if !ok {
			continue
		}
		err := ask(ctx, f.locks.coll, bson.D{{Key: "_id", Value: c.Key}}, Claims{shown}.anywhere(), Claims{c}.anywhere())
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrNotWritten):
			return lost
		}
		return &repo.UnknownError{Op: shown.String(), Err: err}
	}
	return &repo.UnknownError{Op: "commit", Err: lost}
}
