package mongorepo_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// weakAccounts makes a repository on a collection that reads from secondaries
// and writes without a journal to one server.
func weakAccounts(t *testing.T, answer func(name string, cmd bson.Raw) bson.D) (*script, *mongorepo.Repository[account]) {
	t.Helper()
	s, coll := newScript(t, answer)
	no := false
	weak := coll.Clone(options.Collection().SetReadPreference(readpref.SecondaryPreferred()).
		SetReadConcern(readconcern.Available()).SetWriteConcern(&writeconcern.WriteConcern{W: 1, Journal: &no}))
	r, err := mongorepo.New[account](weak, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func sent(s *script) []bson.Raw {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// fromSecondary tells whether a command may be answered by a secondary.
func fromSecondary(cmd bson.Raw) bool {
	mode, ok := cmd.Lookup("$readPreference", "mode").StringValueOK()
	return ok && mode != "primary"
}

func text(cmd bson.Raw, path ...string) string {
	v, _ := cmd.Lookup(path...).StringValueOK()
	return v
}

// accountCalls are all calls, on an account 1 that is stored in version 3.
func accountCalls(r *mongorepo.Repository[account]) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"Save":    func(ctx context.Context) error { return r.Save(ctx, &account{ID: 1, Rev: 3}) },
		"Insert":  func(ctx context.Context) error { return r.Save(ctx, &account{ID: 2}) },
		"SaveAll": func(ctx context.Context) error { return r.SaveAll(ctx, []*account{{ID: 1, Rev: 3}, {ID: 2}}) },
		"Replace": func(ctx context.Context) error {
			return second(r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"ID": 1, "Rev": 3}`}}))
		},
		"Merge": func(ctx context.Context) error {
			return second(r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"ID": 1, "Balance": 8}`}}, repo.Merge()))
		},
		"Update": func(ctx context.Context) error {
			return second(r.Update(ctx, 1, func(a *account) error { a.Balance++; return nil }))
		},
		"Delete":        func(ctx context.Context) error { return r.Delete(ctx, &account{ID: 1, Rev: 3}) },
		"DeleteByID":    func(ctx context.Context) error { return r.DeleteByID(ctx, 1) },
		"DeleteAllByID": func(ctx context.Context) error { return second(r.DeleteAllByID(ctx, []any{1})) },
		"FindByID":      func(ctx context.Context) error { return second(r.FindByID(ctx, 1)) },
		"FindAllByID":   func(ctx context.Context) error { return second(r.FindAllByID(ctx, []any{1, 2})) },
		"ExistsByID":    func(ctx context.Context) error { return second(r.ExistsByID(ctx, 1)) },
		"Find":          func(ctx context.Context) error { return second(r.Find(ctx)) },
		"Count":         func(ctx context.Context) error { return second(r.Count(ctx)) },
	}
}

// stands answers as a server that has the account 1 in version 3, with the
// claims that the first fence of a test would show.
func stands(name string, cmd bson.Raw) bson.D {
	doc := bson.D{{Key: "_id", Value: int64(1)}, {Key: "rev", Value: int64(3)}}
	switch {
	case collectionOf(cmd) != "c":
		return calm(name, cmd)
	case name == "find":
		return found(doc)
	case name == "aggregate":
		return found(bson.D{{Key: "n", Value: 1}})
	case name == "findAndModify":
		return ok(bson.E{Key: "value", Value: doc})
	}
	return matched(1)
}

// Whatever the collection is set to, what is done under a fence goes to the
// primary, is written with majority and journal, and reads what a majority has.
func TestFence_GoesToThePrimaryWithMajority(t *testing.T) {
	t.Parallel()
	for name := range accountCalls(nil) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, r := weakAccounts(t, stands)
			if err := accountCalls(r)[name](driver.WithFence(t.Context(), turnOf("orders"))); err != nil {
				t.Fatal(err)
			}
			for _, cmd := range sent(s) {
				switch command := cmd.Index(0).Key(); {
				case fromSecondary(cmd):
					t.Errorf("may be answered by a secondary: %s", cmd)
				case command == "find" || command == "aggregate":
					// What was raised just now is read as it is now, like the raise itself.
					raised := name == "FindAllByID" && command == "find" && collectionOf(cmd) == "c"
					if level := text(cmd, "readConcern", "level"); level != "majority" && !raised {
						t.Errorf("reads without majority: %s", cmd)
					}
				case text(cmd, "writeConcern", "w") != "majority" || !cmd.Lookup("writeConcern", "j").Boolean():
					t.Errorf("writes without majority and journal: %s", cmd)
				}
			}
		})
	}
}

// Reads that explain why a write was refused, or that a write is built on, ask
// the server that refused, fence or not: the primary, with what is there now.
func TestWrite_ReadsThatItNeedsGoToThePrimary(t *testing.T) {
	t.Parallel()
	refusing := func(name string, cmd bson.Raw, tries *atomic.Int32, enough func()) bson.D {
		switch {
		case collectionOf(cmd) != "c":
			return calm(name, cmd)
		case name == "find":
			return found(bson.D{{Key: "_id", Value: int64(1)}, {Key: "rev", Value: int64(9)}})
		case name == "findAndModify":
			return ok(bson.E{Key: "value", Value: nil})
		case name == "insert":
			return duplicate("_id_")
		case name == "update" && tries.Add(1) == 3:
			enough() // Update would go on for long
		}
		return matched(0)
	}
	for name, fence := range map[string]driver.Fence{"Fenced": turnOf("orders"), "Unfenced": nil} {
		for _, call := range []string{"Save", "Insert", "SaveAll", "Merge", "Update", "Delete", "DeleteByID"} {
			t.Run(name+"/"+call, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancel(driver.WithFence(t.Context(), fence))
				defer cancel()
				var tries atomic.Int32
				s, r := weakAccounts(t, func(name string, cmd bson.Raw) bson.D { return refusing(name, cmd, &tries, cancel) })
				reads := 0
				err := accountCalls(r)[call](ctx)
				for _, cmd := range sent(s) {
					if fromSecondary(cmd) {
						t.Errorf("may be answered by a secondary: %s", cmd)
					}
					if cmd.Index(0).Key() == "find" && collectionOf(cmd) == "c" {
						reads++
						if level := text(cmd, "readConcern", "level"); level != "local" {
							t.Errorf("reads with %q: %s", level, cmd)
						}
					}
				}
				if reads == 0 && call != "Insert" && (fence != nil || call != "DeleteByID") {
					t.Errorf("nothing was read: %v", err)
				}
			})
		}
	}
}

// A read that no write is built on is the user's own affair.
func TestFind_UnfencedGoesWhereTheUserSays(t *testing.T) {
	t.Parallel()
	s, r := weakAccounts(t, stands)
	ctx := t.Context()
	for call, err := range map[string]error{
		"FindByID": second(r.FindByID(ctx, 1)), "FindAllByID": second(r.FindAllByID(ctx, []any{1})),
		"ExistsByID": second(r.ExistsByID(ctx, 1)), "Find": second(r.Find(ctx)), "Count": second(r.Count(ctx)),
	} {
		if err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
	for _, cmd := range sent(s) {
		if !fromSecondary(cmd) {
			t.Errorf("goes to the primary: %s", cmd)
		}
	}
}

// A transaction reads a snapshot of the primary and commits with majority and
// journal, whatever the client is set to, fence or not.
func TestInTx_IsFirm(t *testing.T) {
	t.Parallel()
	s, coll := newScript(t, stands)
	cli, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + s.addr +
		"/?replicaSet=rs&retryWrites=false&readPreference=secondary&readConcernLevel=available&w=1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cli.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
	})
	r, err := mongorepo.New[account](cli.Database("db").Collection(coll.Name()), nil)
	if err != nil {
		t.Fatal(err)
	}
	err = r.InTx(t.Context(), func(ctx context.Context) error {
		return errors.Join(second(r.FindByID(ctx, 1)), r.Save(ctx, &account{ID: 1, Rev: 3}))
	})
	if err != nil {
		t.Fatal(err)
	}
	wantCommands(t, s, "start:find", "tx:update", "tx:commitTransaction")
	cmds := sent(s)
	if level := text(cmds[0], "readConcern", "level"); level != "snapshot" {
		t.Errorf("reads with %q, want a snapshot", level)
	}
	if w := cmds[2].Lookup("writeConcern"); text(cmds[2], "writeConcern", "w") != "majority" || !cmds[2].Lookup("writeConcern", "j").Boolean() {
		t.Errorf("commits with %s, want majority and journal", w)
	}
	for _, cmd := range cmds {
		if fromSecondary(cmd) {
			t.Errorf("may be answered by a secondary: %s", cmd)
		}
	}
}
