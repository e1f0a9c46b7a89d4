package mongostore_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// A merge under a fence raises, reads and writes all its documents together, by four
// commands: an update and a find, and an insert and an update of what changes.
func TestMongoFence_MergesManyByFewCommands(t *testing.T) {
	sizes := []int{249}
	if scale.Soak() { // the stand-in is slow
		sizes = append(sizes, 1000)
	}
	for _, n := range sizes {
		t.Run(fmt.Sprint(n), func(t *testing.T) { mergesByFewCommands(t, n) })
	}
}

func mergesByFewCommands(t *testing.T, n int) {
	t.Helper()
	ctx := check.Bounded(t, 5*time.Minute)
	var commands atomic.Int64
	cli := mongodb.NewMonitoredClient(t, func(name string, _ bson.Raw) {
		if name != "endSessions" {
			commands.Add(1)
		}
	})
	r, err := mongorepo.New[tally](cli.Database(mongodb.Database(t).Name()).Collection(servers.UniqueName("c_")), nil)
	check.Must(t, err)
	var docs []string
	var old []*tally
	for i := range n {
		id, count := fmt.Sprintf("id%d", i), i
		if i%3 > 0 { // a third is absent, one changes, one stays
			old = append(old, &tally{ID: id, N: int64(i)})
		}
		if i%3 == 1 {
			count = -i
		}
		docs = append(docs, fmt.Sprintf(`{"id": %q, "n": %d}`, id, count))
	}
	check.Must(t, r.SaveAll(ctx, old))
	held := mongoHeld(ctx, 5)
	_, err = r.Count(held) // the epoch and the guard are known now
	check.Must(t, err)
	before := commands.Load()
	_, err = r.SmartSave(held, repo.SmartSaveDTO{EntityList: docs}, repo.Merge())
	check.Must(t, err)
	if sent := commands.Load() - before; sent > 4 {
		t.Errorf("%d commands for %d documents", sent, n)
	}
	for _, i := range []int{0, 1, 2, n - 3, n - 2, n - 1} {
		want := int64(i)
		if i%3 == 1 {
			want = -want
		}
		wantTally(t, r, fmt.Sprintf("id%d", i), want)
		// Every one is raised, unchanged ones too, and written under the fence.
		check.WantError(t, r.Save(mongoHeld(ctx, 4), &tally{ID: fmt.Sprintf("id%d", i)}), repo.ErrFenced)
	}
	// An older holder is refused before anything is written.
	_, err = r.SmartSave(mongoHeld(ctx, 4), repo.SmartSaveDTO{EntityList: []string{`{"id": "id0", "n": 7}`, `{"id": "new", "n": 7}`}}, repo.Merge())
	check.WantError(t, err, repo.ErrFenced)
	if found, err := r.ExistsByID(ctx, "new"); found || err != nil {
		t.Errorf("a refused merge has inserted: %t, %v", found, err)
	}
	wantTally(t, r, "id0", 0)
}
