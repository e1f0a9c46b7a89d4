package gormstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

func TestGormKeysOfAMixedListAreRight(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		keysAreRight(t, b.Open(t))
	})
}

// onlyKey has nothing but a key that the database makes.
type onlyKey struct {
	ID int64
}

// A statement without columns inserts one row, however many the list has.
func TestGormKeysOfRowsWithoutOtherColumns(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		check.Must(t, db.AutoMigrate(&onlyKey{}))
		r, err := gormrepo.New[onlyKey](db, nil)
		check.Must(t, err)
		list := []*onlyKey{{}, {}, {}}
		check.Must(t, r.SaveAll(t.Context(), list))
		check.Must(t, r.Insert(t.Context(), &onlyKey{}, &onlyKey{}))
		for _, e := range list {
			if ok, err := r.ExistsByID(t.Context(), e.ID); err != nil || !ok {
				t.Errorf("%d was given, and is not stored: %v", e.ID, err)
			}
		}
		if n, err := r.Count(t.Context()); err != nil || n != 5 {
			t.Errorf("%d rows, %v, want 5", n, err)
		}
	})
}

// A cluster counts in steps, and MySQL tells the first key only.
func TestGormKeysAreRightWhereTheServerCountsInSteps(t *testing.T) {
	t.Parallel()
	c, err := mysql.ParseDSN(sqldb.MySQLDatabase(t))
	check.Must(t, err)
	c.Params = map[string]string{"auto_increment_increment": "3"}
	pool, err := sqldb.Open(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: c.FormatDSN()}).DB()
	check.Must(t, err)
	db, err := gorm.Open(gormmysql.New(gormmysql.Config{Conn: pool, DisableWithReturning: true}), &gorm.Config{Logger: logger.Discard})
	check.Must(t, err)
	keysAreRight(t, db)
}

func keysAreRight(t *testing.T, db *gorm.DB) {
	t.Helper()
	ctx, r := t.Context(), sqldb.Repository[gormItem](t, db, nil)
	old := gormItems(3, 0)
	check.Must(t, r.SaveAll(ctx, old))
	var list []*gormItem
	for i := range 9 {
		list = append(list, &gormItem{Email: fmt.Sprintf("new%d@x", i)})
		if i < 3 {
			list = append(list, old[2-i])
		}
	}
	check.Must(t, r.SaveAll(ctx, list))
	for i, e := range list {
		got, err := r.FindByID(ctx, e.ID)
		check.Must(t, err)
		if *got != *e {
			t.Errorf("element %d is %+v in memory and %+v in the database", i, e, got)
		}
	}
}

type gormCoded struct {
	ID   string `gorm:"primaryKey;size:190"`
	Text string `gorm:"size:190"`
}

func TestGormIDsAreNeverSQL(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormCoded](t, db, nil)
		check.Must(t, r.SaveAll(ctx, []*gormCoded{{"a", "a"}, {"b", "b"}}))
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
			check.Must(t, r.DeleteByID(ctx, id))
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
		check.Must(t, r.Save(ctx, weird))
		if got, err := r.FindByID(ctx, weird.ID); err != nil || *got != *weird {
			t.Fatalf("got %v, %v", got, err)
		}
	})
}

func TestGormAKeyTwiceInAListIsWrittenOnce(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormItem](t, db, nil)
		for range 2 { // inserting, then updating
			check.Must(t, r.SaveAll(ctx, []*gormItem{{1, "a@x", "first"}, {2, "b@x", "b"}, {1, "a@x", "last"}}))
			if got := sqldb.Rows[gormItem](t, db); !slices.Equal(got, []gormItem{{1, "a@x", "last"}, {2, "b@x", "b"}}) {
				t.Fatalf("got %v", got)
			}
		}
	})
}

type gormPair struct {
	A, B int64  `gorm:"primaryKey;autoIncrement:false"`
	Text string `gorm:"size:50"`
}

func TestGormZeroPartsOfACompositeKeyAreAKey(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormPair](t, db, nil)
		for _, text := range []string{"inserted", "updated"} {
			e := &gormPair{A: 0, B: 1, Text: text}
			check.Must(t, r.Save(ctx, e))
			check.Must(t, r.SaveAll(ctx, []*gormPair{e, {A: 1, B: 0}, {}}))
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

func TestGormATableWithoutAKeyIsRefused(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		if _, err := gormrepo.New[struct{ Name string }](db, nil); !errors.Is(err, repo.ErrInvalid) {
			t.Fatalf("got %v", err)
		}
	})
}
