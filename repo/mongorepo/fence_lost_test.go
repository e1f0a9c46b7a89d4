package mongorepo_test

import (
	"context"
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// lostAnswer is a write whose answer is lost, and what the document says when
// it is asked afterwards.
type lostAnswer struct {
	found int64 // the attempt in the document before the question, or one of those below
	want  error // errLost for the error of the network
}

const (
	foundRefused = -1
	foundAbsent  = -2
	foundNothing = -3 // the server cannot be asked
)

var errLost = errors.New("the error of the network")

func (l lostAnswer) check(t *testing.T, err error) {
	t.Helper()
	switch {
	case l.want == nil && err == nil:
	case l.want == repo.ErrUnknown && errors.Is(err, repo.ErrUnknown): //nolint:errorlint // the test's own value
	case l.want == errLost && mongo.IsNetworkError(unwrapped(err)) && !errors.Is(err, repo.ErrUnknown): //nolint:errorlint // the test's own value
	default:
		t.Errorf("got %v, want %v", err, l.want)
	}
}

// unwrapped takes an error out of a list, into which the driver does not look.
func unwrapped(err error) error {
	if batch, ok := errors.AsType[*repo.BatchError](err); ok {
		return batch.Items[0].Err
	}
	return err
}

// lossy loses the answers to the commands of a kind.
func lossy(t *testing.T, command string, inside int64) (*script, *mongorepo.Repository[account]) {
	t.Helper()
	lost := false
	return accounts(t, func(name string, cmd bson.Raw) bson.D {
		switch {
		case collectionOf(cmd) != "c":
			return calm(name, cmd)
		case name == command:
			lost = true
			return nil
		case name == "findAndModify" && !lost:
			return lastClaim(cmd, 1)
		case name == "findAndModify":
			switch inside {
			case foundRefused, foundAbsent:
				return lastClaim(cmd, -1)
			case foundNothing:
				return lastClaim(cmd, -2)
			}
			return lastClaim(cmd, inside)
		case name == "aggregate" && inside == foundAbsent:
			return found()
		case name == "aggregate":
			return found(bson.D{{Key: "n", Value: 1}})
		}
		return calm(name, cmd)
	})
}

func TestFence_LostAnswersAreAskedFor(t *testing.T) {
	t.Parallel()
	type op func(ctx context.Context, r *mongorepo.Repository[account]) error
	save := op(func(ctx context.Context, r *mongorepo.Repository[account]) error {
		return r.Save(ctx, &account{ID: 1, Rev: 3})
	})
	insert := op(func(ctx context.Context, r *mongorepo.Repository[account]) error { return r.Save(ctx, &account{ID: 1}) })
	list := op(func(ctx context.Context, r *mongorepo.Repository[account]) error {
		return r.SaveAll(ctx, []*account{{ID: 1}, {ID: 2}})
	})
	update := op(func(ctx context.Context, r *mongorepo.Repository[account]) error {
		_, err := r.Update(ctx, 1, func(a *account) error { a.Balance++; return nil })
		return err
	})
	del := op(func(ctx context.Context, r *mongorepo.Repository[account]) error { return r.DeleteByID(ctx, 1) })
	tests := map[string]struct {
		op      op
		command string
		lostAnswer
	}{
		"SaveLanded":        {save, "update", lostAnswer{1, nil}},
		"SaveDidNotLand":    {save, "update", lostAnswer{0, errLost}},
		"SaveOfGone":        {save, "update", lostAnswer{foundAbsent, errLost}},
		"SaveOverwritten":   {save, "update", lostAnswer{foundRefused, repo.ErrUnknown}},
		"SaveNobodyToAsk":   {save, "update", lostAnswer{foundNothing, repo.ErrUnknown}},
		"InsertLanded":      {insert, "insert", lostAnswer{1, nil}},
		"InsertMayStill":    {insert, "insert", lostAnswer{foundAbsent, repo.ErrUnknown}},
		"ListLanded":        {list, "insert", lostAnswer{1, nil}},
		"ListMayStill":      {list, "insert", lostAnswer{foundAbsent, repo.ErrUnknown}},
		"UpdateLanded":      {update, "update", lostAnswer{2, nil}},
		"UpdateDidNotLand":  {update, "update", lostAnswer{1, errLost}},
		"DeleteLanded":      {del, "delete", lostAnswer{foundAbsent, nil}},
		"DeleteDidNotLand":  {del, "delete", lostAnswer{0, errLost}},
		"DeleteOverwritten": {del, "delete", lostAnswer{foundRefused, repo.ErrUnknown}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, r := lossy(t, tt.command, tt.found)
			tt.check(t, tt.op(driver.WithFence(t.Context(), turnOf("orders")), r))
		})
	}
}

// Without a fence nobody can tell, and nobody asks.
func TestFence_LostAnswerWithoutAFence(t *testing.T) {
	t.Parallel()
	s, r := lossy(t, "update", 1)
	lostAnswer{0, errLost}.check(t, r.Save(t.Context(), &account{ID: 1, Rev: 3}))
	wantCommands(t, s, "update")
}
