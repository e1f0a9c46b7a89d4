package mongorepo_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

var balance = repo.MustField[account, int64]("Balance")

// inCollection leaves the commands to the documents of the fence to calm.
func inCollection(answer func(name string, cmd bson.Raw) bson.D) func(name string, cmd bson.Raw) bson.D {
	return func(name string, cmd bson.Raw) bson.D {
		if collectionOf(cmd) != "c" {
			return calm(name, cmd)
		}
		return answer(name, cmd)
	}
}

func wheres(r *mongorepo.Repository[account]) map[string]func(ctx context.Context) (int64, error) {
	return map[string]func(ctx context.Context) (int64, error){
		"update": func(ctx context.Context) (int64, error) {
			return r.UpdateWhere(ctx, balance.Gt(1), balance.Set(1))
		},
		"delete": func(ctx context.Context) (int64, error) { return r.DeleteWhere(ctx, balance.Gt(1)) },
	}
}

// One command writes, and without a fence nothing else is asked.
func TestWhere_IsOneCommand(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"update", "delete"} {
		s, r := accounts(t, func(string, bson.Raw) bson.D { return matched(3) })
		if n, err := wheres(r)[name](t.Context()); n != 3 || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		wantCommands(t, s, name)
	}
}

// A newer holder that comes to a document while the command is under way is found out.
func TestWhere_OvertakenInBetween(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"update", "delete"} {
		finds := 0
		var s *script
		var r *mongorepo.Repository[account]
		s, r = accounts(t, inCollection(func(name string, cmd bson.Raw) bson.D {
			if name != "find" {
				if q := cmd.Lookup(name+"s", "0", "q").String(); !strings.Contains(q, `"_f.`) {
					t.Errorf("%s asks for no claims: %s", name, q)
				}
				return matched(1)
			}
			if finds++; finds == 1 {
				return found()
			}
			return found(newerThan(cmd))
		}))
		n, err := wheres(r)[name](driver.WithFence(t.Context(), turnOf("k")))
		if fenced, ok := errors.AsType[*repo.FencedError](err); n != 1 || !ok || fenced.Stored.Token != 99 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		if sent := strings.Join(s.commands(), " "); !strings.Contains(sent, "find "+name+" find") {
			t.Errorf("%s: sent were %s", name, sent)
		}
	}
}

// newerThan is a document with a newer claim of the lock that the filter of a find names.
func newerThan(cmd bson.Raw) bson.D {
	text := cmd.String()
	_, rest, _ := strings.Cut(text, `"_f.`)
	lock, _, _ := strings.Cut(rest, `.`)
	lock, _, _ = strings.Cut(lock, `"`)
	return bson.D{{Key: "_id", Value: 1}, {Key: "_f", Value: bson.D{{Key: lock, Value: bson.D{
		{Key: "t", Value: int64(99)}, {Key: "o", Value: "they"}, {Key: "s", Value: int64(1)},
	}}}}}
}

// Nobody can say which documents a command has changed whose answer is lost.
func TestWhere_LostAnswer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"update", "delete"} {
		_, r := accounts(t, inCollection(func(name string, _ bson.Raw) bson.D {
			if name == "find" {
				return found()
			}
			return nil
		}))
		if n, err := wheres(r)[name](driver.WithFence(t.Context(), turnOf("k"))); n != 0 || !errors.Is(err, repo.ErrUnknown) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

func TestWhere_FailureSpoilsTheTransaction(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"update", "delete"} {
		s, r := accounts(t, func(command string, _ bson.Raw) bson.D {
			if command == name {
				return duplicate("other")
			}
			return matched(1)
		})
		err := r.InTx(t.Context(), func(ctx context.Context) error {
			_, _ = wheres(r)[name](ctx)
			return nil
		})
		if !errors.Is(err, repo.ErrRolledBack) {
			t.Errorf("%s: %v", name, err)
		}
		wantCommands(t, s, "start:"+name, "tx:abortTransaction")
	}
}

// What is refused before it is sent writes nothing in a transaction, and leaves it usable.
func TestInsert_RefusedInATransaction(t *testing.T) {
	t.Parallel()
	s, r := accounts(t, yes)
	a, b := &account{ID: 1}, &account{ID: 1}
	err := r.InTx(t.Context(), func(ctx context.Context) error {
		if err := r.Insert(ctx, a, b); !errors.Is(err, repo.ErrDuplicateKey) {
			t.Errorf("got %v", err)
		}
		return r.Insert(ctx, b)
	})
	if err != nil || a.Rev != 0 || b.Rev != 1 {
		t.Errorf("%v, %+v, %+v", err, a, b)
	}
	wantCommands(t, s, "start:insert", "tx:commitTransaction")
}
