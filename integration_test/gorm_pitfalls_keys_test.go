package integration_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// The tests whose names begin with a pitfall show that what GORM's own Save and
// Find get wrong is right here.

func TestGormPitfall01_NewEntityOverwritesNoImportedRow(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			ctx, r := t.Context(), gormRepo[gormItem](t, db, nil)
			// As after an import: the rows have keys, the sequence knows of none.
			must(t, db.Create(&gormItem{ID: 1, Email: "imported@x", Name: "imported"}).Error)
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
			must(t, err)
			if got.Name != "imported" {
				t.Fatalf("the imported row became %+v", got)
			}
		})
	}
}

func TestGormPitfall02_UniqueIndexHitRewritesNoOtherRow(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			ctx, r := t.Context(), gormRepo[gormItem](t, db, nil)
			must(t, db.Create([]gormItem{{1, "a@x", "a"}, {3, "c@x", "c"}}).Error)
			want := rows[gormItem](t, db)
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
				if got := rows[gormItem](t, db); !slices.Equal(got, want) {
					t.Fatalf("%s: the rows became %v", name, got)
				}
			}
		})
	}
}

// On MySQL the key of an entity need not be the key of the table: then a row
// can be hit through an index that the database looks at first.
func TestGormPitfall02_UniqueIndexHitIsNoticedWhenTheRowExists(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			number := map[string]string{"sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT", "postgres": "SERIAL PRIMARY KEY", "mysql": "INT AUTO_INCREMENT PRIMARY KEY"}
			must(t, db.Exec("CREATE TABLE gorm_items (n "+number[db.Name()]+", email VARCHAR(100) UNIQUE, id BIGINT UNIQUE, name VARCHAR(100))").Error)
			r, err := gormrepo.New[gormItem](db, nil)
			must(t, err)
			must(t, db.Exec("INSERT INTO gorm_items (id, email, name) VALUES (1, 'a@x', 'a'), (3, 'c@x', 'c')").Error)
			want := rows[gormItem](t, db)
			if err := r.Save(t.Context(), &gormItem{3, "a@x", "thief"}); !errors.Is(err, repo.ErrDuplicateKey) {
				t.Fatalf("got %v", err)
			}
			if got := rows[gormItem](t, db); !slices.Equal(got, want) {
				t.Fatalf("the rows became %v", got)
			}
		})
	}
}

type gormDefaults struct {
	ID    int64
	Stamp time.Time `gorm:"default:CURRENT_TIMESTAMP"`
	Age   int       `gorm:"default:18"`
	Text  string    `gorm:"size:50;default:none"`
}

func TestGormPitfall03_ColumnsWithDefaultsAreUpdated(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			ctx, r := t.Context(), gormRepo[gormDefaults](t, db, nil)
			a, b := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2022, 2, 2, 0, 0, 0, 0, time.UTC)
			e := &gormDefaults{Stamp: a, Age: 30, Text: "x"}
			must(t, r.Save(ctx, e))
			e.Stamp, e.Age, e.Text = b, 0, ""
			must(t, r.Save(ctx, e))
			got, err := r.FindByID(ctx, e.ID)
			must(t, err)
			if !got.Stamp.Equal(b) || got.Age != 0 || got.Text != "" {
				t.Fatalf("stored is %+v", got)
			}
		})
	}
}

func TestGormPitfall03_TheDatabasesDefaultIsWrittenBack(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			ctx, r := t.Context(), gormRepo[gormDefaults](t, db, nil)
			at := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
			list := []*gormDefaults{{}, {Stamp: at}, {}, {ID: 70}, {ID: 71, Stamp: at}}
			must(t, r.SaveAll(ctx, list))
			for i, e := range list {
				got, err := r.FindByID(ctx, e.ID)
				must(t, err)
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

func TestGormPitfall04_ListsBeyondTheParameterLimit(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			ctx, r := t.Context(), gormRepo[gormWide](t, db, nil)
			list := make([]*gormWide, 1000) // with 71 columns
			for i := range list {
				list[i] = &gormWide{V: Ten{J: i}}
			}
			for range 2 { // inserts, then updates
				must(t, r.SaveAll(ctx, list))
			}
			if n, err := r.Count(ctx); err != nil || n != 1000 {
				t.Fatalf("%d rows, %v", n, err)
			}
			got, err := r.Find(ctx, repo.F[gormWide, int]("V.J").Eq(999))
			must(t, err)
			if len(got) != 1 || got[0].ID != list[999].ID {
				t.Fatalf("got %+v", got)
			}
		})
	}
}

func TestGormPitfall11_KeysOfAMixedListAreRight(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			keysAreRight(t, b.open(t))
		})
	}
}

// A cluster counts in steps, and MySQL tells the first key only.
func TestGormPitfall11_KeysAreRightWhereTheServerCountsInSteps(t *testing.T) {
	t.Parallel()
	c, err := mysql.ParseDSN(mysqlDatabase(t))
	must(t, err)
	c.Params = map[string]string{"auto_increment_increment": "3"}
	pool, err := openSQL(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: c.FormatDSN()}).DB()
	must(t, err)
	db, err := gorm.Open(gormmysql.New(gormmysql.Config{Conn: pool, DisableWithReturning: true}), &gorm.Config{Logger: logger.Discard})
	must(t, err)
	keysAreRight(t, db)
}

func keysAreRight(t *testing.T, db *gorm.DB) {
	t.Helper()
	ctx, r := t.Context(), gormRepo[gormItem](t, db, nil)
	old := gormItems(3, 0)
	must(t, r.SaveAll(ctx, old))
	var list []*gormItem
	for i := range 9 {
		list = append(list, &gormItem{Email: fmt.Sprintf("new%d@x", i)})
		if i < 3 {
			list = append(list, old[2-i])
		}
	}
	must(t, r.SaveAll(ctx, list))
	for i, e := range list {
		got, err := r.FindByID(ctx, e.ID)
		must(t, err)
		if *got != *e {
			t.Errorf("element %d is %+v in memory and %+v in the database", i, e, got)
		}
	}
}

type gormCoded struct {
	ID   string `gorm:"primaryKey;size:190"`
	Text string `gorm:"size:190"`
}

func TestGormPitfall12_IDsAreNeverSQL(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			ctx, r := t.Context(), gormRepo[gormCoded](t, db, nil)
			must(t, r.SaveAll(ctx, []*gormCoded{{"a", "a"}, {"b", "b"}}))
			for _, id := range []string{"1=1 OR 1", "1=1", "' OR ''='", "a' -- ", "?", "", "@name", "(SELECT 1)", "1", "\\' OR 1=1 -- "} {
				if _, err := r.FindByID(ctx, id); !errors.Is(err, repo.ErrNotFound) {
					t.Errorf("%q: find by id: %v", id, err)
				}
				if ok, err := r.ExistsByID(ctx, id); ok || err != nil {
					t.Errorf("%q: exists: %v, %v", id, ok, err)
				}
				if got, err := r.FindAllByID(ctx, []any{id, id + "x"}); len(got) != 0 || err != nil {
					t.Errorf("%q: find all by id: %v, %v", id, got, err)
				}
				if n, err := r.DeleteAllByID(ctx, []any{id, id + "x"}); n != 0 || err != nil {
					t.Errorf("%q: deleted %d, %v", id, n, err)
				}
				if got, err := r.Find(ctx, repo.F[gormCoded, string]("ID").Eq(id)); len(got) != 0 || err != nil {
					t.Errorf("%q: find: %v, %v", id, got, err)
				}
				must(t, r.DeleteByID(ctx, id))
			}
			if got, err := r.FindAllByID(ctx, nil); len(got) != 0 || err != nil {
				t.Errorf("no ids found %v, %v", got, err)
			}
			if n, err := r.DeleteAllByID(ctx, []any{}); n != 0 || err != nil {
				t.Errorf("no ids deleted %d, %v", n, err)
			}
			if n, err := r.Count(ctx); n != 2 || err != nil {
				t.Fatalf("%d rows are left, %v", n, err)
			}
			weird := &gormCoded{ID: "1=1 OR 1", Text: strings.Repeat("'\"`\\", 3)}
			must(t, r.Save(ctx, weird))
			if got, err := r.FindByID(ctx, weird.ID); err != nil || *got != *weird {
				t.Fatalf("got %v, %v", got, err)
			}
		})
	}
}

func TestGormPitfall14_AKeyTwiceInAListIsWrittenOnce(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			ctx, r := t.Context(), gormRepo[gormItem](t, db, nil)
			for range 2 { // inserting, then updating
				must(t, r.SaveAll(ctx, []*gormItem{{1, "a@x", "first"}, {2, "b@x", "b"}, {1, "a@x", "last"}}))
				if got := rows[gormItem](t, db); !slices.Equal(got, []gormItem{{1, "a@x", "last"}, {2, "b@x", "b"}}) {
					t.Fatalf("got %v", got)
				}
			}
		})
	}
}

type gormPair struct {
	A, B int64  `gorm:"primaryKey;autoIncrement:false"`
	Text string `gorm:"size:50"`
}

func TestGormPitfall16_ZeroPartsOfACompositeKeyAreAKey(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			ctx, r := t.Context(), gormRepo[gormPair](t, db, nil)
			for _, text := range []string{"inserted", "updated"} {
				e := &gormPair{A: 0, B: 1, Text: text}
				must(t, r.Save(ctx, e))
				must(t, r.SaveAll(ctx, []*gormPair{e, {A: 1, B: 0}, {}}))
				if got, err := r.FindByID(ctx, gormPair{B: 1}); err != nil || *got != *e {
					t.Fatalf("got %v, %v", got, err)
				}
				if n, err := r.Count(ctx); err != nil || n != 3 {
					t.Fatalf("%d rows, %v", n, err)
				}
			}
			if n, err := r.DeleteAllByID(ctx, []any{gormPair{}, gormPair{A: 1}, gormPair{A: 2}}); n != 2 || err != nil {
				t.Fatalf("deleted %d, %v", n, err)
			}
		})
	}
}

func TestGormPitfall16_ATableWithoutAKeyIsRefused(t *testing.T) {
	t.Parallel()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db := b.open(t)
			if _, err := gormrepo.New[struct{ Name string }](db, nil); !errors.Is(err, repo.ErrInvalid) {
				t.Fatalf("got %v", err)
			}
		})
	}
}
