package mongostore_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// mongoPod is a process: a repository of its own on the collection, and the keys
// that it holds.
type mongoPod struct {
	*mongorepo.Repository[tally]
	keys []string
}

func newMongoPod(t *testing.T, coll *mongo.Collection, keys ...string) mongoPod {
	t.Helper()
	r, err := mongorepo.New[tally](coll, nil)
	check.Must(t, err)
	return mongoPod{r, keys}
}

// podHold shows a claim of each key, and knows that all of them may guard.
type podHold struct {
	keys  []string
	token int64
	sub   atomic.Int64
}

func (h *podHold) Claims() []repo.Claim {
	sub := h.sub.Add(1)
	list := make([]repo.Claim, len(h.keys))
	for i, k := range h.keys {
		list[i] = repo.Claim{Key: k, Token: h.token, Owner: "0123456789abcdef0123456789abcdef", Sub: sub}
	}
	return list
}

// Keys are all of them.
func (h *podHold) Keys() []string { return h.keys }

// under is a context under a hold of the pod's keys with the token.
func (p mongoPod) under(ctx context.Context, token int64) context.Context {
	return driver.WithFence(ctx, &podHold{keys: p.keys, token: token})
}

func wantMongoGuard(t *testing.T, err error, registered, presented string) {
	t.Helper()
	wrong, ok := errors.AsType[*repo.WrongKeyError](err)
	if !ok || !errors.Is(err, repo.ErrWrongKey) || wrong.Registered != registered || wrong.Presented[0] != presented {
		t.Errorf("got %v, want a *repo.WrongKeyError of %q by %q", err, presented, registered)
	}
}

// Two pods that lock one collection under different keys do not exclude each
// other: the second one is refused.
func TestMongoGuard_RefusesAnotherKey(t *testing.T) {
	ctx, plain, coll := fencedTallies(t, nil, 1)
	first, second := newMongoPod(t, coll, "first"), newMongoPod(t, coll, "second")
	check.Must(t, first.Save(first.under(ctx, 1), &tally{ID: "a", N: 2}))
	wantMongoGuard(t, second.Save(second.under(ctx, 9), &tally{ID: "a", N: 3}), "first", "second")
	_, err := second.FindByID(second.under(ctx, 9), "a")
	wantMongoGuard(t, err, "first", "second")
	_, err = second.Find(second.under(ctx, 9))
	wantMongoGuard(t, err, "first", "second")
	wantTally(t, plain, "a", 2)
	if fence := storedDocument(t, coll, "a").Lookup("_f").Document(); hasField(fence, "m") {
		t.Errorf("a guard that was never moved costs a field: %s", fence)
	}
}

// Whichever of many pods is first, the others are refused.
func TestMongoGuard_OneOfManyIsFirst(t *testing.T) {
	ctx, _, coll := fencedTallies(t, nil, 0)
	var g errgroup.Group
	var accepted, refused atomic.Int64
	for i := range 8 {
		key := string(rune('a' + i%2))
		pod := newMongoPod(t, coll, key)
		g.Go(func() error {
			err := pod.Save(pod.under(ctx, int64(i+1)), &tally{ID: "id" + key + string(rune('0'+i)), N: 1})
			switch {
			case err == nil:
				accepted.Add(1)
				return nil
			case errors.Is(err, repo.ErrWrongKey):
				refused.Add(1)
				return nil
			}
			return err
		})
	}
	check.Must(t, g.Wait())
	if accepted.Load() != 4 || refused.Load() != 4 {
		t.Errorf("%d accepted and %d refused, want the four of one key accepted", accepted.Load(), refused.Load())
	}
}

func TestMongoGuard_Moves(t *testing.T) {
	ctx, plain, coll := fencedTallies(t, nil, 0)
	check.WantError(t, mongorepo.MoveGuard(ctx, coll, "old", "new"), repo.ErrNotFound)
	before, both, after := newMongoPod(t, coll, "old"), newMongoPod(t, coll, "new", "old"), newMongoPod(t, coll, "new")
	check.Must(t, before.Save(before.under(ctx, 1), &tally{ID: "a", N: 1}))
	check.Must(t, before.Save(before.under(ctx, 1), &tally{ID: "untouched", N: 1}))
	check.Must(t, both.Save(both.under(ctx, 2), &tally{ID: "a", N: 2}))
	wantMongoGuard(t, after.Save(after.under(ctx, 3), &tally{ID: "a", N: 9}), "old", "new")

	late := map[string]mongoPod{} // pods that have seen the old guard, and nothing since
	for _, name := range []string{"Save", "SaveAll", "DeleteByID", "DeleteAllByID", "FindByID", "Update", "Merge"} {
		late[name] = newMongoPod(t, coll, "old")
		_, err := late[name].FindByID(late[name].under(ctx, int64(len(late)+1)), "untouched")
		check.Must(t, err)
	}

	wantMongoGuard(t, mongorepo.MoveGuard(ctx, coll, "other", "new"), "old", "other")
	for _, bad := range [][2]string{{"", "new"}, {"old", ""}, {"old", "old"}} {
		check.WantError(t, mongorepo.MoveGuard(ctx, coll, bad[0], bad[1]), repo.ErrInvalid)
	}
	check.Must(t, mongorepo.MoveGuard(ctx, coll, "old", "new"))
	check.Must(t, plain.MoveGuard(ctx, "old", "new")) // again, as after an error, does nothing
	// A pod that knew the old guard goes on, one with both keys too.
	check.Must(t, both.Save(both.under(ctx, 3), &tally{ID: "a", N: 3}))
	check.Must(t, after.Save(after.under(ctx, 4), &tally{ID: "a", N: 4}))
	check.Must(t, both.Save(both.under(ctx, 5), &tally{ID: "a", N: 5}))
	// One with the old key alone is refused by what the others have touched,
	// by every way to write.
	for name, write := range map[string]func(ctx context.Context) error{
		"Save":          func(ctx context.Context) error { return before.Save(ctx, &tally{ID: "a", N: 9}) },
		"SaveAll":       func(ctx context.Context) error { return before.SaveAll(ctx, []*tally{{ID: "a", N: 9}}) },
		"DeleteByID":    func(ctx context.Context) error { return before.DeleteByID(ctx, "a") },
		"DeleteAllByID": func(ctx context.Context) error { _, err := before.DeleteAllByID(ctx, []any{"a"}); return err },
		"FindByID":      func(ctx context.Context) error { _, err := before.FindByID(ctx, "a"); return err },
		"Update": func(ctx context.Context) error {
			_, err := before.Update(ctx, "a", func(*tally) error { return nil })
			return err
		},
		"Merge": func(ctx context.Context) error {
			_, err := before.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id": "a", "n": 9}`}}, repo.Merge())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			before = late[name]
			wantMongoGuard(t, write(before.under(ctx, 9)), "new", "old")
		})
	}
	wantTally(t, plain, "a", 5)
	if n := storedDocument(t, coll, "a").Lookup("_f", "m").AsInt64(); n != 1 {
		t.Errorf("the document has seen %d moves, want 1", n)
	}
	// And when it starts.
	restarted := newMongoPod(t, coll, "old")
	wantMongoGuard(t, restarted.Save(restarted.under(ctx, 9), &tally{ID: "untouched", N: 9}), "new", "old")
}

// All stages of a rename at once, a pod that should have ended among them: what
// is acknowledged is counted.
func TestMongoGuard_RenameLosesNothing(t *testing.T) {
	ctx, plain, coll := fencedTallies(t, nil, 0)
	old := newMongoPod(t, coll, "old")
	check.Must(t, old.Save(old.under(ctx, 1), &tally{ID: "a"}))
	pods := []mongoPod{old, newMongoPod(t, coll, "new", "old"), newMongoPod(t, coll, "old", "new"), newMongoPod(t, coll, "new")}
	var token, acknowledged, wrong, rounds atomic.Int64
	token.Store(1)
	moved := make(chan struct{})
	var g errgroup.Group
	for _, pod := range pods {
		g.Go(func() error {
			for range 40 {
				if rounds.Add(1) == 60 {
					if err := mongorepo.MoveGuard(ctx, coll, "old", "new"); err != nil {
						return err
					}
					close(moved)
				}
				held := pod.under(ctx, token.Add(1))
				var err error
				if rand.IntN(2) == 0 {
					_, err = pod.Update(held, "a", func(e *tally) error { e.N++; return nil })
				} else {
					var e *tally
					if e, err = pod.FindByID(held, "a"); err == nil {
						e.N++
						err = pod.Save(held, e)
					}
				}
				switch {
				case err == nil:
					acknowledged.Add(1)
				case errors.Is(err, repo.ErrWrongKey):
					wrong.Add(1)
				case errors.Is(err, repo.ErrFenced), errors.Is(err, repo.ErrStale):
				default:
					return err
				}
			}
			return nil
		})
	}
	check.Must(t, g.Wait())
	<-moved
	t.Logf("%d acknowledged, %d refused for their key", acknowledged.Load(), wrong.Load())
	if acknowledged.Load() == 0 || wrong.Load() == 0 {
		t.Error("nothing happened, or nobody was refused")
	}
	wantTally(t, plain, "a", acknowledged.Load())
}

// Once known, the guard costs no command.
func TestMongoGuard_CostsNothingPerSave(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	var commands atomic.Int64
	cli := mongodb.NewMonitoredClient(t, func(name string, _ bson.Raw) {
		if name == "find" || name == "insert" || name == "update" || name == "findAndModify" {
			commands.Add(1)
		}
	})
	db := cli.Database(mongodb.Database(t).Name())
	pod := newMongoPod(t, db.Collection(servers.UniqueName("c_")), "key")
	held := pod.under(ctx, 1)
	check.Must(t, pod.Save(held, &tally{ID: "a", N: 1}))
	before := commands.Load()
	for n := range int64(10) {
		check.Must(t, pod.Save(held, &tally{ID: "a", N: n}))
	}
	if sent := commands.Load() - before; sent != 10 {
		t.Errorf("%d commands for 10 saves", sent)
	}
}
