package mongorepo_test

import (
	"context"
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// aborted is what a server says of a transaction that it does not have any
// more.
func aborted() bson.D {
	return bson.D{
		{Key: "ok", Value: 0},
		{Key: "code", Value: 251},
		{Key: "errmsg", Value: "NoSuchTransaction"},
		{Key: "errorLabels", Value: bson.A{"TransientTransactionError"}},
	}
}

// An error that fn swallows is repeated where the server asks for it, and else
// comes out of InTx.
func TestInTx_SwallowedErrorNeverCommits(t *testing.T) {
	t.Parallel()
	type failure struct {
		answer func() bson.D
		again  bool // the whole is tried once more, and succeeds
	}
	broken := func(code int) func() bson.D {
		return func() bson.D {
			return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: code}, {Key: "errmsg", Value: "broken"}}
		}
	}
	failures := map[string]failure{
		"WriteConflict":    {conflict, true},
		"AbortedByServer":  {aborted, true},
		"LostAnswer":       {func() bson.D { return nil }, true},
		"DuplicateKey":     {func() bson.D { return duplicate("other_1") }, false},
		"MaxTimeExpired":   {broken(50), false},
		"NotAllowed":       {broken(13), false},
		"TransactionToOld": {broken(225), false},
	}
	calls := map[string]func(ctx context.Context, r *mongorepo.Repository[account]) error{
		"Save": func(ctx context.Context, r *mongorepo.Repository[account]) error {
			return r.Save(ctx, &account{ID: 2, Rev: 3})
		},
		"SaveAll": func(ctx context.Context, r *mongorepo.Repository[account]) error {
			return r.SaveAll(ctx, []*account{{ID: 2, Rev: 3}, {ID: 3, Rev: 3}})
		},
		"Update": func(ctx context.Context, r *mongorepo.Repository[account]) error {
			_, err := r.Update(ctx, 2, func(a *account) error { a.Balance++; return nil })
			return err
		},
		"Merge": func(ctx context.Context, r *mongorepo.Repository[account]) error {
			_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"ID": 2, "Balance": 5}`}}, repo.Merge())
			return err
		},
		"FindByID": func(ctx context.Context, r *mongorepo.Repository[account]) error {
			_, err := r.FindByID(ctx, 2)
			return err
		},
		"Find":  func(ctx context.Context, r *mongorepo.Repository[account]) error { _, err := r.Find(ctx); return err },
		"Count": func(ctx context.Context, r *mongorepo.Repository[account]) error { _, err := r.Count(ctx); return err },
		"DeleteByID": func(ctx context.Context, r *mongorepo.Repository[account]) error {
			return r.DeleteByID(ctx, 2)
		},
	}
	for name, f := range failures {
		for call, do := range calls {
			t.Run(name+"/"+call, func(t *testing.T) {
				t.Parallel()
				commands, failed := 0, false
				s, r := accounts(t, func(name string, cmd bson.Raw) bson.D {
					if name == "abortTransaction" || name == "commitTransaction" {
						return ok()
					}
					if commands++; commands == 2 {
						failed = true
						return f.answer()
					}
					if name == "find" || name == "aggregate" {
						return found(bson.D{{Key: "_id", Value: int64(2)}, {Key: "rev", Value: int64(3)}, {Key: "n", Value: 1}})
					}
					return calm(name, cmd)
				})
				tries := 0
				err := r.InTx(t.Context(), func(ctx context.Context) error {
					tries++
					_ = r.Save(ctx, &account{ID: 1, Rev: 3})
					_ = do(ctx, r)
					return nil
				})
				switch {
				case !failed:
					t.Fatal("nothing failed")
				case f.again && (err != nil || tries != 2 || committed(s) != 1):
					t.Errorf("%v after %d tries and %d commits, want one more try", err, tries, committed(s))
				case !f.again && (!errors.Is(err, repo.ErrRolledBack) || committed(s) != 0):
					t.Errorf("%v after %d commits, want ErrRolledBack and none", err, committed(s))
				}
			})
		}
	}
}

// A shorter context inside of fn, and one that ends while fn runs.
func TestInTx_SwallowedEndOfAContext(t *testing.T) {
	t.Parallel()
	for name, inner := range map[string]bool{"OfACall": true, "OfTheWhole": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole, end := context.WithCancel(t.Context())
			defer end()
			updates := 0
			s, r := accounts(t, func(name string, cmd bson.Raw) bson.D {
				if name == "update" {
					if updates++; updates == 2 {
						end()
						return nil // as a server that is still busy with it
					}
				}
				return calm(name, cmd)
			})
			outer := whole
			if inner {
				outer = t.Context()
			}
			tries := 0
			err := r.InTx(outer, func(ctx context.Context) error {
				tries++
				_ = r.Save(ctx, &account{ID: 1, Rev: 3})
				short, cancel := context.WithCancel(ctx)
				defer cancel()
				if inner {
					stop := context.AfterFunc(whole, cancel)
					defer stop()
				}
				_ = r.Save(short, &account{ID: 2, Rev: 3})
				return nil
			})
			if err == nil && (tries == 1 || committed(s) != 1) || err != nil && committed(s) != 0 {
				t.Errorf("%v after %d tries and %d commits", err, tries, committed(s))
			}
			if !inner && !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the context's error", err)
			}
		})
	}
}
