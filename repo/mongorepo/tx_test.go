package mongorepo_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

type account struct {
	ID      int64 `gorm:"primaryKey;autoIncrement:false" bson:"_id"`
	Balance int64
	Rev     int64 `holdfast:"version"`
}

func accounts(t *testing.T, answer func(name string, cmd bson.Raw) bson.D) (*script, *mongorepo.Repository[account]) {
	t.Helper()
	s, coll := newScript(t, answer)
	r, err := mongorepo.New[account](coll, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func wantCommands(t *testing.T, s *script, want ...string) {
	t.Helper()
	if got := s.commands(); !slices.Equal(got, want) {
		t.Errorf("sent were %v, want %v", got, want)
	}
}

func TestInTx_CommitsOnce(t *testing.T) {
	t.Parallel()
	s, r := accounts(t, func(string, bson.Raw) bson.D { return matched(1) })
	err := r.InTx(t.Context(), func(ctx context.Context) error {
		if r.TxState(ctx) != driver.TxJoined {
			t.Error("the context of the transaction is not seen as joined")
		}
		if err := r.Save(ctx, &account{ID: 1, Rev: 3}); err != nil {
			return err
		}
		return r.InTx(ctx, func(ctx context.Context) error { return r.Save(ctx, &account{ID: 2, Rev: 3}) })
	})
	if err != nil {
		t.Fatal(err)
	}
	wantCommands(t, s, "start:update", "tx:update", "tx:commitTransaction")
	if r.TxState(t.Context()) != driver.TxNone {
		t.Error("a transaction is left")
	}
}

// A session takes one command at a time, also for the single writes of
// entities with a version.
func TestInTx_SavesOneAfterTheOther(t *testing.T) {
	t.Parallel()
	s, r := accounts(t, func(string, bson.Raw) bson.D { return matched(1) })
	err := r.InTx(t.Context(), func(ctx context.Context) error {
		return r.SaveAll(ctx, []*account{{ID: 1, Rev: 1}, {ID: 2, Rev: 1}, {ID: 3, Rev: 1}})
	})
	if err != nil {
		t.Fatal(err)
	}
	wantCommands(t, s, "start:update", "tx:update", "tx:update", "tx:commitTransaction")
}

func TestInTx_ErrorOfFnRollsBack(t *testing.T) {
	t.Parallel()
	s, r := accounts(t, func(string, bson.Raw) bson.D { return matched(1) })
	refused := errors.New("refused")
	a := &account{ID: 1, Rev: 3}
	err := r.InTx(t.Context(), func(ctx context.Context) error {
		if err := r.Save(ctx, a); err != nil {
			return err
		}
		return refused
	})
	if err != refused { //nolint:errorlint // the error itself must come back
		t.Errorf("got %v, want the error of fn as it is", err)
	}
	if a.Rev != 3 {
		t.Errorf("version %d, want 3: nothing was written", a.Rev)
	}
	wantCommands(t, s, "start:update", "tx:abortTransaction")
}

// fn runs again with the entities as they were, or the second try would find
// the version of a write that never was.
func TestInTx_ConflictRunsFnAgain(t *testing.T) {
	t.Parallel()
	updates := 0
	s, r := accounts(t, func(name string, _ bson.Raw) bson.D {
		if name == "update" {
			if updates++; updates == 2 {
				return conflict()
			}
		}
		return matched(1)
	})
	a, b := &account{ID: 1, Rev: 3}, &account{ID: 2, Rev: 5}
	var versions []int64
	err := r.InTx(t.Context(), func(ctx context.Context) error {
		versions = append(versions, a.Rev, b.Rev)
		return errors.Join(r.Save(ctx, a), r.Save(ctx, b))
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int64{3, 5, 3, 5}; !slices.Equal(versions, want) {
		t.Errorf("fn saw the versions %v, want %v", versions, want)
	}
	if a.Rev != 4 || b.Rev != 6 {
		t.Errorf("versions %d and %d after the commit", a.Rev, b.Rev)
	}
	wantCommands(t, s, "start:update", "tx:update", "tx:abortTransaction", "start:update", "tx:update", "tx:commitTransaction")
}

func TestInTx_PanicRollsBack(t *testing.T) {
	t.Parallel()
	s, r := accounts(t, func(string, bson.Raw) bson.D { return matched(1) })
	a := &account{ID: 1, Rev: 3}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = r.InTx(t.Context(), func(ctx context.Context) error {
			if err := r.Save(ctx, a); err != nil {
				t.Error(err)
			}
			panic("fn")
		})
	}()
	if a.Rev != 3 {
		t.Errorf("version %d, want 3", a.Rev)
	}
	wantCommands(t, s, "start:update", "tx:abortTransaction")
}

func TestInTx_OfAnotherClientIsForeign(t *testing.T) {
	t.Parallel()
	answer := func(string, bson.Raw) bson.D { return matched(1) }
	_, r := accounts(t, answer)
	_, other := accounts(t, answer)
	err := r.InTx(t.Context(), func(ctx context.Context) error {
		if got := other.TxState(ctx); got != driver.TxForeign {
			t.Errorf("state %v, want foreign", got)
		}
		return other.InTx(ctx, func(context.Context) error { return nil })
	})
	if !errors.Is(err, repo.ErrInTx) {
		t.Errorf("got %v, want ErrInTx", err)
	}
}

// A write that fails has aborted the transaction: why it failed can only be
// asked outside of it.
func TestInTx_FailureIsExplainedOutside(t *testing.T) {
	t.Parallel()
	type row struct {
		ID   string     `bson:"_id"`
		Gone *time.Time `holdfast:"deleted"`
	}
	s, coll := newScript(t, func(name string, _ bson.Raw) bson.D {
		switch name {
		case "update":
			return duplicate("_id_")
		case "find":
			return found(bson.D{{Key: "_id", Value: "a"}, {Key: "gone", Value: time.Now()}})
		}
		return ok()
	})
	r, err := mongorepo.New[row](coll, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = r.InTx(t.Context(), func(ctx context.Context) error { return r.Save(ctx, &row{ID: "a"}) })
	if !errors.Is(err, repo.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	wantCommands(t, s, "start:update", "find", "tx:abortTransaction")
}

// Two upserts of a new key can both try to insert. The one that comes second
// has something to update now.
func TestSave_RacingUpsertsAreSentAgain(t *testing.T) {
	t.Parallel()
	type row struct {
		ID string `bson:"_id"`
		N  int
	}
	updates := 0
	s, coll := newScript(t, func(name string, _ bson.Raw) bson.D {
		switch {
		case name == "find":
			return found(bson.D{{Key: "_id", Value: "a"}, {Key: "n", Value: 1}})
		case updates == 0:
			updates++
			return duplicate("_id_")
		}
		return matched(1)
	})
	r, err := mongorepo.New[row](coll, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Save(t.Context(), &row{ID: "a", N: 2}); err != nil {
		t.Fatal(err)
	}
	wantCommands(t, s, "update", "find", "update")
}

func TestSave_OtherUniqueIndexIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	type row struct {
		ID string `bson:"_id"`
		N  int
	}
	s, coll := newScript(t, func(name string, _ bson.Raw) bson.D {
		if name == "find" {
			return found(bson.D{{Key: "_id", Value: "a"}, {Key: "n", Value: 1}})
		}
		return duplicate("n_1")
	})
	r, err := mongorepo.New[row](coll, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := &row{ID: "a", N: 2}
	if err := r.Save(t.Context(), e); !errors.Is(err, repo.ErrDuplicateKey) {
		t.Errorf("got %v, want ErrDuplicateKey", err)
	}
	wantCommands(t, s, "update", "find")
}

// An insert that fails would abort the transaction, so what may have been read
// with version 0 is looked for first.
func TestInTx_VersionZeroMayHaveBeenRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stored []any
		want   []string
		rev    int64
	}{
		"New":          {nil, []string{"start:find", "tx:insert", "tx:commitTransaction"}, 1},
		"Read":         {[]any{bson.D{{Key: "_id", Value: int64(1)}, {Key: "rev", Value: 0}}}, []string{"start:find", "tx:update", "tx:commitTransaction"}, 1},
		"WithoutOne":   {[]any{bson.D{{Key: "_id", Value: int64(1)}}}, []string{"start:find", "tx:update", "tx:commitTransaction"}, 1},
		"OtherVersion": {[]any{bson.D{{Key: "_id", Value: int64(1)}, {Key: "rev", Value: 4}}}, []string{"start:find", "tx:insert", "tx:commitTransaction"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, r := accounts(t, func(command string, cmd bson.Raw) bson.D {
				if command == "find" {
					return found(c.stored...)
				}
				return calm(command, cmd)
			})
			a := &account{ID: 1, Balance: 5}
			if err := r.InTx(t.Context(), func(ctx context.Context) error { return r.Save(ctx, a) }); err != nil {
				t.Fatal(err)
			}
			wantCommands(t, s, c.want...)
			if a.Rev != c.rev {
				t.Errorf("version %d, want %d", a.Rev, c.rev)
			}
		})
	}
}
