package gormstore_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

func TestGormNewEntityOverwritesNoImportedRow(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormItem](t, db, nil)
		// As after an import: the rows have keys, the sequence knows of none.
		check.Must(t, db.Create(&gormItem{ID: 1, Email: "imported@x", Name: "imported"}).Error)
		fresh := []*gormItem{{Email: "b@x", Name: "fresh"}, {Email: "c@x", Name: "fresh"}}
		for _, save := range []func() error{
			func() error { return r.Save(ctx, fresh[0]) },
			func() error { return r.SaveAll(ctx, fresh) },
		} {
			if err := save(); err != nil && !errors.Is(err, repo.ErrDuplicateKey) {
				t.Fatal(err)
			}
		}
		got, err := r.FindByID(ctx, 1)
		check.Must(t, err)
		if got.Name != "imported" {
			t.Fatalf("the imported row became %+v", got)
		}
	})
}

func TestGormUniqueIndexHitRewritesNoOtherRow(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormItem](t, db, nil)
		check.Must(t, db.Create([]gormItem{{1, "a@x", "a"}, {3, "c@x", "c"}}).Error)
		want := sqldb.Rows[gormItem](t, db)
		for name, list := range map[string][]*gormItem{
			"AbsentKey":       {{2, "a@x", "thief"}},
			"StoredKey":       {{3, "a@x", "thief"}},
			"InAListOfAbsent": {{5, "e@x", ""}, {2, "a@x", "thief"}, {6, "f@x", ""}},
			"InAMixedList":    {{3, "c@x", "changed"}, {2, "a@x", "thief"}},
			"InAListOfStored": {{1, "new@x", ""}, {3, "new@x", "thief"}},
		} {
			err := r.SaveAll(ctx, list)
			var batch *repo.BatchError
			if !errors.Is(err, repo.ErrDuplicateKey) || !errors.As(err, &batch) || len(batch.Items) != 1 {
				t.Errorf("%s: got %v", name, err)
			} else if i := batch.Items[0].Index; list[i].Name != "thief" {
				t.Errorf("%s: the error names element %d", name, i)
			}
			if got := sqldb.Rows[gormItem](t, db); !slices.Equal(got, want) {
				t.Fatalf("%s: the rows became %v", name, got)
			}
		}
	})
}

// On MySQL the key of an entity need not be the key of the table: then a row
// can be hit through an index that the database looks at first.
func TestGormUniqueIndexHitIsNoticedWhenTheRowExists(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		number := map[string]string{"sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT", "postgres": "SERIAL PRIMARY KEY", "mysql": "INT AUTO_INCREMENT PRIMARY KEY"}
		check.Must(t, db.Exec("CREATE TABLE gorm_items (n "+number[db.Name()]+", email VARCHAR(100) UNIQUE, id BIGINT UNIQUE, name VARCHAR(100))").Error)
		r, err := gormrepo.New[gormItem](db, nil)
		check.Must(t, err)
		check.Must(t, db.Exec("INSERT INTO gorm_items (id, email, name) VALUES (1, 'a@x', 'a'), (3, 'c@x', 'c')").Error)
		want := sqldb.Rows[gormItem](t, db)
		if err := r.Save(t.Context(), &gormItem{3, "a@x", "thief"}); !errors.Is(err, repo.ErrDuplicateKey) {
			t.Fatalf("got %v", err)
		}
		if got := sqldb.Rows[gormItem](t, db); !slices.Equal(got, want) {
			t.Fatalf("the rows became %v", got)
		}
	})
}

type gormDefaults struct {
	ID    int64
	Stamp time.Time `gorm:"default:CURRENT_TIMESTAMP"`
	Age   int       `gorm:"default:18"`
	Text  string    `gorm:"size:50;default:none"`
}

func TestGormColumnsWithDefaultsAreUpdated(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormDefaults](t, db, nil)
		early, late := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2022, 2, 2, 0, 0, 0, 0, time.UTC)
		e := &gormDefaults{Stamp: early, Age: 30, Text: "x"}
		check.Must(t, r.Save(ctx, e))
		e.Stamp, e.Age, e.Text = late, 0, ""
		check.Must(t, r.Save(ctx, e))
		got, err := r.FindByID(ctx, e.ID)
		check.Must(t, err)
		if !got.Stamp.Equal(late) || got.Age != 0 || got.Text != "" {
			t.Fatalf("stored is %+v", got)
		}
	})
}

func TestGormTheDatabasesDefaultIsWrittenBack(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormDefaults](t, db, nil)
		at := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
		list := []*gormDefaults{{}, {Stamp: at}, {}, {ID: 70}, {ID: 71, Stamp: at}}
		check.Must(t, r.SaveAll(ctx, list))
		for i, e := range list {
			got, err := r.FindByID(ctx, e.ID)
			check.Must(t, err)
			if e.Stamp.IsZero() || !got.Stamp.Equal(e.Stamp) || (i == 1 || i == 4) != e.Stamp.Equal(at) {
				t.Errorf("%d: stored %v, in memory %v", i, got.Stamp, e.Stamp)
			}
		}
		// A zero value leaves the stored one.
		if err := r.Save(ctx, &gormDefaults{ID: 71, Age: 1}); err != nil {
			t.Fatal(err)
		}
		if got, err := r.FindByID(ctx, 71); err != nil || !got.Stamp.Equal(at) {
			t.Fatalf("got %+v, %v", got, err)
		}
	})
}

// Ten are ten columns.
type Ten struct{ A, B, C, D, E, F, G, H, I, J int }

type gormWide struct {
	ID int64
	P  Ten `gorm:"embedded;embeddedPrefix:p_"`
	Q  Ten `gorm:"embedded;embeddedPrefix:q_"`
	R  Ten `gorm:"embedded;embeddedPrefix:r_"`
	S  Ten `gorm:"embedded;embeddedPrefix:s_"`
	T  Ten `gorm:"embedded;embeddedPrefix:t_"`
	U  Ten `gorm:"embedded;embeddedPrefix:u_"`
	V  Ten `gorm:"embedded;embeddedPrefix:v_"`
}

func TestGormListsBeyondTheParameterLimit(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormWide](t, db, nil)
		list := make([]*gormWide, 1000) // with 71 columns
		for i := range list {
			list[i] = &gormWide{V: Ten{J: i}}
		}
		for range 2 { // inserts, then updates
			check.Must(t, r.SaveAll(ctx, list))
		}
		if n, err := r.Count(ctx); err != nil || n != 1000 {
			t.Fatalf("%d rows, %v", n, err)
		}
		got, err := r.Find(ctx, repo.F[gormWide, int]("V.J").Eq(999))
		check.Must(t, err)
		if len(got) != 1 || got[0].ID != list[999].ID {
			t.Fatalf("got %+v", got)
		}
	})
}
