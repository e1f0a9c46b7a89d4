package fenced_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// gormMember has a second unique value, a mark of deletion and what the database keeps.
type gormMember struct {
	ID      string         `gorm:"primaryKey;size:40"`
	Email   string         `gorm:"size:80;uniqueIndex"`
	Name    string         `gorm:"size:80"`
	Rank    int            `gorm:"check:members_rank,rank >= 0"`
	Made    time.Time      `holdfast:"created"`
	Deleted gorm.DeletedAt `gorm:"index"`
}

// compounds is a repository whose fenced saves are compound statements of MariaDB by now,
// and a context with a fence.
func compounds(ctx context.Context, t *testing.T, db *gorm.DB) (r *gormrepo.Repository[gormMember], fenced context.Context) {
	t.Helper()
	check.Must(t, gormrepo.MigrateFence(ctx, db))
	r = sqldb.Repository[gormMember](t, db, nil)
	pool, err := db.DB()
	check.Must(t, err)
	pool.SetMaxOpenConns(1)
	fenced = fences.Turn(5, "a", 1, "members").With(ctx)
	for range 2 { // it is not known that the server takes them, nor what is on the table
		check.Must(t, r.SaveAll(fenced, []*gormMember{{ID: "a", Email: "a@x", Name: "A"}, {ID: "b", Email: "b@x", Name: "B"}}))
	}
	return r, fenced
}

// questions is how many statements fn sends.
func questions(t *testing.T, db *gorm.DB, fn func()) int {
	t.Helper()
	before := sessionCounter(t, db, "Questions")
	fn()
	return sessionCounter(t, db, "Questions") - before - 1
}

func wantMembers(ctx context.Context, t *testing.T, r *gormrepo.Repository[gormMember], names map[string]string) {
	t.Helper()
	all, err := r.Find(ctx)
	check.Must(t, err)
	got := map[string]string{}
	for _, m := range all {
		got[m.ID] = m.Email + " " + m.Name
	}
	if len(got) != len(names) {
		t.Errorf("got %v, want %v", got, names)
	}
	for id, want := range names {
		if got[id] != want {
			t.Errorf("%s is %q, want %q", id, got[id], want)
		}
	}
}

// One statement inserts and overwrites, and rewrites no row of another key: ON DUPLICATE
// KEY fires on every unique index.
func TestGormCompound_RewritesNoOtherRow(t *testing.T) {
	t.Parallel()
	db, ctx := sqldb.MySQL(t), check.Bounded(t, time.Minute)
	r, fenced := compounds(ctx, t, db)
	made, err := r.FindByID(ctx, "a")
	check.Must(t, err)

	list := []*gormMember{{ID: "a", Email: "a@x", Name: "A2"}, {ID: "c", Email: "c@x", Name: "C"}}
	if n := questions(t, db, func() { check.Must(t, r.SaveAll(fenced, list)) }); n != 1 {
		t.Errorf("%d statements, not 1", n)
	}
	if !list[0].Made.Equal(made.Made) {
		t.Errorf("the time of creation is %v, not %v", list[0].Made, made.Made)
	}
	want := map[string]string{"a": "a@x A2", "b": "b@x B", "c": "c@x C"}
	wantMembers(ctx, t, r, want)

	taken := &gormMember{ID: "d", Email: "b@x", Name: "thief"}
	if err := r.Save(fenced, taken); !errors.Is(err, repo.ErrDuplicateKey) {
		t.Errorf("got %v", err)
	}
	if err := r.SaveAll(fenced, []*gormMember{{ID: "a", Email: "a@x", Name: "A3"}, taken}); !errors.Is(err, repo.ErrDuplicateKey) {
		t.Errorf("got %v", err)
	}
	if err := r.SaveAll(fenced, []*gormMember{{ID: "a", Email: "b@x", Name: "A3"}}); !errors.Is(err, repo.ErrDuplicateKey) {
		t.Errorf("got %v", err)
	}
	wantMembers(ctx, t, r, want)
}

// Rows that are marked as deleted are left alone, and bad rows are refused by themselves.
func TestGormCompound_LeavesRows(t *testing.T) {
	t.Parallel()
	db, ctx := sqldb.MySQL(t), check.Bounded(t, time.Minute)
	r, fenced := compounds(ctx, t, db)
	check.Must(t, r.Delete(fenced, &gormMember{ID: "b"}))
	settings := func() (s string) {
		check.Must(t, db.Raw("SELECT CONCAT_WS(' ', @@autocommit, @@wait_timeout, @@innodb_lock_wait_timeout, @@tx_isolation)").Scan(&s).Error)
		return s
	}
	before := settings()
	gone := &gormMember{ID: "b", Email: "b@x", Name: "back"}
	if err := r.Save(fenced, gone); !errors.Is(err, repo.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	err := r.SaveAll(fenced, []*gormMember{{ID: "a", Email: "a@x", Name: "A2"}, gone})
	batch, ok := errors.AsType[*repo.BatchError](err)
	if !ok || !errors.Is(err, repo.ErrNotFound) || len(batch.Items) != 1 || batch.Items[0].Index != 1 {
		t.Errorf("got %v", err)
	}
	err = r.SaveAll(fenced, []*gormMember{{ID: "a", Email: "a@x", Name: "A2"}, {ID: "e", Email: "e@x", Rank: -1}})
	if batch, ok = errors.AsType[*repo.BatchError](err); !ok || batch.Items[0].Index != 1 {
		t.Errorf("got %v", err)
	}
	wantMembers(ctx, t, r, map[string]string{"a": "a@x A"})
	if after := settings(); after != before {
		t.Errorf("%q before, %q after", before, after)
	}
}

// Keys that the collation takes for equal are saved as they are without a fence.
func TestGormCompound_EqualKeys(t *testing.T) {
	t.Parallel()
	db, ctx := sqldb.MySQLFolding(t), check.Bounded(t, time.Minute)
	r, fenced := compounds(ctx, t, db)
	for _, id := range []string{"A", "a "} {
		plain := r.Save(ctx, &gormMember{ID: id, Email: "other@x"})
		locked := r.Save(fenced, &gormMember{ID: id, Email: "other@x"})
		if (plain == nil) != (locked == nil) || errors.Is(plain, repo.ErrDuplicateKey) != errors.Is(locked, repo.ErrDuplicateKey) {
			t.Errorf("%q: %v without a fence, %v with it", id, plain, locked)
		}
	}
}

// A table that takes no INSERT of rows that exist, one with a trigger for new rows, and one
// without a unique index on the key is written by a transaction.
func TestGormCompound_TablesOfOthers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]string{
		"NoDefault": {"ALTER TABLE gorm_members ADD COLUMN other varchar(9) NOT NULL"},
		"NoUniqueKey": {
			"ALTER TABLE gorm_members DROP PRIMARY KEY, ADD COLUMN seq bigint NOT NULL AUTO_INCREMENT PRIMARY KEY",
			"DROP INDEX idx_gorm_members_email ON gorm_members",
		},
		"Trigger": {"CREATE TRIGGER fired BEFORE INSERT ON gorm_members FOR EACH ROW SET NEW.name = 'fired'"},
		"View": {
			"RENAME TABLE gorm_members TO others", "CREATE TRIGGER fired BEFORE INSERT ON others FOR EACH ROW SET NEW.name = 'fired'",
			"CREATE VIEW gorm_members AS SELECT * FROM others",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, ctx := sqldb.MySQL(t), check.Bounded(t, time.Minute)
			plain, _ := compounds(ctx, t, db)
			for _, text := range change {
				check.Must(t, db.Exec(text).Error)
			}
			var schema string
			check.Must(t, db.Raw("SELECT DATABASE()").Scan(&schema).Error)
			r, err := gormrepo.New[gormMember](db, &gormrepo.Options{FenceSchema: schema})
			check.Must(t, err)
			fenced := fences.Turn(6, "a", 1, "members").With(ctx)
			for range 3 {
				check.Must(t, r.SaveAll(fenced, []*gormMember{{ID: "a", Email: "a@x", Name: "A2"}, {ID: "b", Email: "b@x", Name: "B2"}}))
			}
			wantMembers(ctx, t, plain, map[string]string{"a": "a@x A2", "b": "b@x B2"})
			e := &gormMember{ID: "a", Email: "a@x", Name: "A3"}
			if n := questions(t, db, func() { check.Must(t, r.Save(fenced, e)) }); n < 5 {
				t.Errorf("%d statements, which are not those of a transaction", n)
			}
		})
	}
}

// A key with what looks like a parameter is shown as it is.
func TestGormCompound_StrangeKeys(t *testing.T) {
	t.Parallel()
	db, ctx := sqldb.MySQL(t), check.Bounded(t, time.Minute)
	r, _ := compounds(ctx, t, db)
	f := fences.Turn(5, "a", 1, "what? 'is' \\this\"").With(ctx)
	for range 2 {
		check.Must(t, r.Save(f, &gormMember{ID: "a", Email: "a@x", Name: "A?"}))
	}
	wantMembers(ctx, t, r, map[string]string{"a": "a@x A?", "b": "b@x B"})
}
