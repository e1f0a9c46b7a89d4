package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// The table changes while the repository lives. What was learned of it does not make a
// statement store something else, or fail.
func TestGormArrays_ChangedTables(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 2, 23, 4, 5, 678_901_000, time.UTC)
	const created = "CREATE TABLE arrays_changings (id integer PRIMARY KEY, n integer, f real, s varchar(80), at date, rev bigint, made timestamp, lft varchar(9) DEFAULT 'x')"
	for name, c := range map[string]struct {
		change []string
		want   string // what the column has after the change
		arrays bool
	}{
		"DateToTimestamp": {[]string{"ALTER TABLE arrays_changings ALTER at TYPE timestamp"}, "at = '2024-01-02 23:04:05.678901'", false},
		"DateToInstant":   {[]string{"ALTER TABLE arrays_changings ALTER at TYPE timestamptz"}, "at = '2024-01-02 23:04:05.678901Z'", false},
		"Longer":          {[]string{"ALTER TABLE arrays_changings ALTER n TYPE bigint"}, "n = 1 << 30", false},
		"Double":          {[]string{"ALTER TABLE arrays_changings ALTER f TYPE double precision"}, "f = 0.1", false},
		"JSON":            {[]string{"ALTER TABLE arrays_changings ALTER s TYPE jsonb USING NULL"}, `s = '{"a":1}'`, false},
		"Text":            {[]string{"ALTER TABLE arrays_changings ALTER s TYPE text"}, `s = '{"a": 1}'`, false},
		"Shorter":         {[]string{"ALTER TABLE arrays_changings ALTER s TYPE varchar(8)"}, `s = '{"a": 1}'`, true},
		"Key":             {[]string{"ALTER TABLE arrays_changings ALTER id TYPE bigint"}, "n = 1 << 30", false},
		"Made":            {[]string{"ALTER TABLE arrays_changings ALTER made TYPE timestamptz"}, "n = 1 << 30", false},
		"Reported":        {[]string{"ALTER TABLE arrays_changings ALTER lft TYPE text"}, "n = 1 << 30", false},
		"Another":         {[]string{"ALTER TABLE arrays_changings DROP at, ADD at timestamp"}, "at = '2024-01-02 23:04:05.678901'", false},
		"Moved":           {[]string{"ALTER TABLE arrays_changings DROP at, ADD at date"}, "at = '2024-01-02'", true},
		"MadeAgain": {
			[]string{"DROP TABLE arrays_changings", "CREATE TABLE arrays_changings (id bigint PRIMARY KEY, made timestamptz, rev int, at timestamptz, s text, f real, n int, lft text)"},
			"at = '2024-01-02 23:04:05.678901Z'", false,
		},
		"MadeAgainTheSame": {[]string{"DROP TABLE arrays_changings", created}, "at = '2024-01-02'", true},
	} {
		for _, way := range []string{"SaveAll", "InTx", "Fence"} {
			t.Run(name+way, func(t *testing.T) {
				t.Parallel()
				db, ctx := sqldb.Postgres(t), check.Bounded(t, time.Minute)
				pool, err := db.DB()
				check.Must(t, err)
				pool.SetMaxOpenConns(1) // whose prepared statements are of the old table
				check.Must(t, gormrepo.MigrateFence(ctx, db))
				check.Must(t, db.Exec(created).Error)
				log := logArrays(db)
				r, err := gormrepo.New[arraysChanging](db, nil)
				check.Must(t, err)
				if way == "Fence" {
					ctx = fences.Turn(5, "a", 1, "changings").With(ctx)
				}
				save := func(list []*arraysChanging) error { return r.SaveAll(ctx, list) }
				if way == "InTx" {
					save = func(list []*arraysChanging) error {
						return r.InTx(ctx, func(ctx context.Context) error {
							check.Must(t, r.SaveAll(ctx, list))
							_, err := r.Count(ctx) // the transaction goes on
							return err
						})
					}
				}
				check.Must(t, r.Save(ctx, &arraysChanging{ID: 1})) // which makes the row of a claim
				list := func(s string) []*arraysChanging {
					return lo.Times(40, func(i int) *arraysChanging {
						return &arraysChanging{ID: int64(i), N: 1 << 30, F: .1, S: s, At: at}
					})
				}
				for range 2 {
					log.sentArrays(t, func() { check.Must(t, save(list(`{"a": 0}`))) })
				}
				for _, text := range c.change {
					check.Must(t, db.Exec(text).Error)
				}
				executed, _ := log.in(func() { check.Must(t, save(list(`{"a": 1}`))) })
				if c.arrays != (executed > 0) {
					t.Errorf("%d statements with arrays were executed", executed)
				}
				var n int64
				check.Must(t, db.Model(new(arraysChanging)).Where(c.want).Count(&n).Error)
				if n != 40 {
					t.Errorf("%d rows have %s", n, c.want)
				}
				check.Must(t, save(list(`{"a": 1}`)))
			})
		}
	}
}

type arraysChanging struct {
	ID   int64 `gorm:"primaryKey;autoIncrement:false"`
	N    int64
	F    float64
	S    string
	At   time.Time
	Made time.Time `holdfast:"created"`
	Lft  string    `gorm:"default:lower('X')"` // which the statement reports
}

// Connections that find the table in another schema check its types by themselves.
func TestGormArrays_AnotherSchema(t *testing.T) {
	t.Parallel()
	db, ctx := sqldb.Postgres(t), check.Bounded(t, time.Minute)
	other := servers.UniqueName("holdfast_test_")
	for _, text := range []string{
		"CREATE TYPE kind AS ENUM ('a')", "CREATE TABLE arrays_spaces (id bigint PRIMARY KEY, at date, kind kind)",
		"CREATE SCHEMA " + other, "CREATE TYPE " + other + ".kind AS ENUM ('a', 'b')",
		"CREATE TABLE " + other + ".arrays_spaces (id bigint PRIMARY KEY, at timestamp, kind " + other + ".kind)",
	} {
		check.Must(t, db.Exec(text).Error)
	}
	t.Cleanup(func() { db.Exec("DROP SCHEMA " + other + " CASCADE") })
	pool, err := db.DB()
	check.Must(t, err)
	pool.SetMaxOpenConns(1)
	log := logArrays(db)
	r, err := gormrepo.New[arraysSpace](db, nil)
	check.Must(t, err)
	at := time.Date(2024, 1, 2, 23, 4, 5, 0, time.UTC)
	list := lo.Times(40, func(i int) *arraysSpace { return &arraysSpace{int64(i), at, "a"} })
	log.sentArrays(t, func() { check.Must(t, r.SaveAll(ctx, list)) })
	check.Must(t, db.Exec("SET search_path = "+other).Error)
	check.Must(t, r.SaveAll(ctx, list))
	var n int64
	check.Must(t, db.Raw("SELECT count(*) FROM "+other+".arrays_spaces WHERE at = '2024-01-02 23:04:05'").Scan(&n).Error)
	if n != 40 {
		t.Errorf("%d rows", n)
	}
}

type arraysSpace struct {
	ID   int64 `gorm:"primaryKey;autoIncrement:false"`
	At   time.Time
	Kind arraysName
}

type arraysMerged struct {
	ID      int64 `gorm:"primaryKey;autoIncrement:false"`
	A       string
	B       *int
	C       float64
	D       time.Time
	E       bool  `gorm:"default:true"`
	Rev     int64 `holdfast:"version"`
	Deleted gorm.DeletedAt
}

// Merges whose documents name different fields are one statement, which leaves alone what a
// document does not name.
func TestGormArrays_Merges(t *testing.T) {
	t.Parallel()
	db, ctx := sqldb.Postgres(t), check.Bounded(t, time.Minute)
	log := logArrays(db)
	r := sqldb.Repository[arraysMerged](t, db, nil)
	const n = 64
	docs := func(of func(i int) string) (list repo.SmartSaveDTO) {
		list.EntityList = lo.Times(n, func(i int) string { return fmt.Sprintf(`{"id":%d%s}`, i, of(i)) })
		return list
	}
	replaced := docs(func(int) string { return `,"a":"a","b":1,"c":1.5,"d":"2024-01-02T03:04:05Z","e":false` })
	_, err := r.SmartSave(ctx, replaced)
	check.Must(t, err)
	fields := []string{`,"a":"b\"\\"`, `,"b":null`, `,"c":-2.5`, `,"d":"2025-01-02T03:04:05+05:30"`, `,"e":true`}
	log.sentArrays(t, func() {
		_, err = r.SmartSave(ctx, docs(func(i int) (s string) {
			for bit, field := range fields {
				if i>>bit&1 == 1 {
					s += field
				}
			}
			return s
		}), repo.Merge())
		check.Must(t, err)
	})
	all, err := r.Find(ctx)
	check.Must(t, err)
	for _, e := range all {
		bit := func(n int) bool { return e.ID>>n&1 == 1 }
		if (e.A == `b"\`) != bit(0) || (e.B == nil) != bit(1) || (e.C == -2.5) != bit(2) || (e.D.Year() == 2025) != bit(3) || e.E != bit(4) ||
			!bit(0) && e.A != "a" || !bit(1) && *e.B != 1 || !bit(2) && e.C != 1.5 || !bit(3) && e.D.Year() != 2024 || e.Rev != lo.Ternary[int64](e.ID&31 == 0, 1, 2) {
			t.Errorf("%+v", e)
		}
	}
	if len(all) != n {
		t.Errorf("%d rows", len(all))
	}
	log.sentArrays(t, func() {
		_, err = r.SmartSave(ctx, replaced)
		check.Must(t, err)
	})
	// One old version refuses all.
	stale := lo.Map(all, func(e *arraysMerged, _ int) *arraysMerged { c := *e; c.Rev++; c.A = "stale"; return &c })
	stale[50].Rev = 1
	if err := r.SaveAll(ctx, stale); !errors.Is(err, repo.ErrStale) {
		t.Errorf("got %v", err)
	}
	var count int64
	check.Must(t, db.Model(new(arraysMerged)).Where("a = 'a'").Count(&count).Error)
	if count != n {
		t.Errorf("%d rows have the last documents", count)
	}
}

// A list that goes behind the claims of a fence, with elements whose rows are refused.
func TestGormArrays_Fenced(t *testing.T) {
	t.Parallel()
	db, ctx := sqldb.Postgres(t), check.Bounded(t, time.Minute)
	check.Must(t, gormrepo.MigrateFence(ctx, db))
	log := logArrays(db)
	r := sqldb.Repository[arraysGone](t, db, nil)
	fenced := fences.Turn(5, "a", 1, "gones").With(ctx)
	list := func(name string) []*arraysGone {
		return lo.Times(40, func(i int) *arraysGone { return &arraysGone{ID: int64(i), Name: name} })
	}
	check.Must(t, r.Save(fenced, &arraysGone{ID: 1})) // which makes the row of the claim
	for _, name := range []string{"a", "b"} {
		log.sentArrays(t, func() { check.Must(t, r.SaveAll(fenced, list(name))) })
	}
	late := fences.Turn(4, "z", 1, "gones").With(ctx)
	if err := r.SaveAll(late, list("late")); !errors.Is(err, repo.ErrFenced) {
		t.Errorf("got %v", err)
	}
	check.Must(t, r.DeleteByID(fenced, 30))
	err := r.SaveAll(fenced, list("c"))
	batch, ok := errors.AsType[*repo.BatchError](err)
	if !ok || !errors.Is(err, repo.ErrNotFound) || len(batch.Items) != 1 || batch.Items[0].Index != 30 {
		t.Errorf("got %v", err)
	}
	bad := list("d")
	bad[7].Name = "too long for it"
	batch, ok = errors.AsType[*repo.BatchError](r.SaveAll(fenced, bad))
	if !ok || len(batch.Items) != 1 || batch.Items[0].Index != 7 {
		t.Errorf("got %v", err)
	}
	var n int64
	check.Must(t, db.Unscoped().Model(new(arraysGone)).Where("name = 'b'").Count(&n).Error)
	if n != 40 {
		t.Errorf("%d rows", n)
	}
}

type arraysGone struct {
	ID      int64  `gorm:"primaryKey;autoIncrement:false"`
	Name    string `gorm:"size:9"`
	Deleted gorm.DeletedAt
}

type arraysNatural struct {
	ID   int64  `gorm:"primaryKey"`
	Code string `gorm:"size:20;uniqueIndex"`
	Text string `gorm:"size:9"`
	Rev  int64  `holdfast:"version"`
}

// A natural key finds the rows, by its index and by a search where the index is missing.
func TestGormArrays_NaturalKeys(t *testing.T) {
	t.Parallel()
	for _, index := range []bool{true, false} {
		t.Run(fmt.Sprint(index), func(t *testing.T) {
			t.Parallel()
			db, ctx := sqldb.Postgres(t), check.Bounded(t, time.Minute)
			log := logArrays(db)
			r := sqldb.Repository[arraysNatural](t, db, nil)
			if !index {
				check.Must(t, db.Exec("DROP INDEX idx_arrays_naturals_code").Error)
			}
			list := func(first int, text string) []*arraysNatural {
				return lo.Times(40, func(i int) *arraysNatural { return &arraysNatural{Code: fmt.Sprintf(`c"%d\`, first+i), Text: text} })
			}
			check.Must(t, r.SaveAll(ctx, list(100, "types"))) // which asks for the types
			stored, err := r.Find(ctx)
			check.Must(t, err)
			check.Must(t, r.SaveAll(ctx, stored))
			check.Must(t, db.Exec("TRUNCATE arrays_naturals").Error)
			done, err := r.UpsertBy(ctx, list(0, "a"), repo.F[arraysNatural, string]("Code"))
			if err != nil || done.Inserted != 40 {
				t.Fatalf("got %+v, %v", done, err)
			}
			again := list(0, "b")
			executed, _ := log.in(func() { done, err = r.UpsertBy(ctx, again, repo.F[arraysNatural, string]("Code")) })
			if err != nil || executed == 0 || done.Updated != 40 || again[3].Rev != 2 || again[3].ID == 0 {
				t.Errorf("got %+v, %v, %+v", done, err, again[3])
			}
			bad := list(0, "c")
			bad[9].Text = "too long for it"
			_, err = r.UpsertBy(ctx, bad, repo.F[arraysNatural, string]("Code"))
			if batch, ok := errors.AsType[*repo.BatchError](err); !ok || len(batch.Items) != 1 || batch.Items[0].Index != 9 {
				t.Errorf("got %v", err)
			}
			check.Must(t, r.InTx(ctx, func(ctx context.Context) error {
				_, err := r.UpsertBy(ctx, list(20, "d"), repo.F[arraysNatural, string]("Code"))
				return err
			}))
			var texts []string
			check.Must(t, db.Raw("SELECT text || ' ' || rev || ' ' || count(*) FROM arrays_naturals GROUP BY text, rev ORDER BY 1").Scan(&texts).Error)
			if fmt.Sprint(texts) != "[b 2 20 d 1 20 d 3 20]" {
				t.Errorf("got %v", texts)
			}
		})
	}
}

// The rows of new entities whose documents give a zero value for a column with a default get
// it by an UPDATE, also in a transaction after the column has changed.
func TestGormArrays_ZeroesOfDefaults(t *testing.T) {
	t.Parallel()
	db, ctx := sqldb.Postgres(t), check.Bounded(t, time.Minute)
	log := logArrays(db)
	type arraysZero struct {
		ID int64   `gorm:"primaryKey"`
		F  float32 `gorm:"default:1.5;type:real"`
	}
	r := sqldb.Repository[arraysZero](t, db, nil)
	docs := repo.SmartSaveDTO{EntityList: lo.Times(40, func(int) string { return `{"f":0}` })}
	save := func() {
		check.Must(t, r.InTx(ctx, func(ctx context.Context) error {
			_, err := r.SmartSave(ctx, docs)
			return err
		}))
	}
	log.sentArrays(t, save)
	check.Must(t, db.Exec("ALTER TABLE arrays_zeros ALTER f TYPE numeric").Error)
	if _, failed := log.in(save); failed != 1 {
		t.Errorf("%d statements with arrays were refused", failed)
	}
	var n int64
	check.Must(t, db.Raw("SELECT count(*) FROM arrays_zeros WHERE f = 0").Scan(&n).Error)
	if n != 80 {
		t.Errorf("%d rows", n)
	}
}
