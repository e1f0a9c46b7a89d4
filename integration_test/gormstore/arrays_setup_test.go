package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// arraysLog sees the statements, and counts those with arrays that were executed and those
// that were refused.
type arraysLog struct {
	logger.Interface
	mu               sync.Mutex
	executed, failed int
}

// logArrays has GORM tell a log of the statements of db.
func logArrays(db *gorm.DB) *arraysLog {
	l := &arraysLog{Interface: logger.Discard}
	db.Logger = l
	return l
}

func (l *arraysLog) LogMode(logger.LogLevel) logger.Interface { return l }

func (l *arraysLog) Trace(_ context.Context, _ time.Time, text func() (string, int64), err error) {
	sql, _ := text()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !strings.Contains(sql, " FROM unnest(CAST("):
	case err == nil:
		l.executed++
	default:
		l.failed++
	}
}

// in tells how many statements with arrays were executed, and how many refused, in fn.
func (l *arraysLog) in(fn func()) (executed, failed int) {
	count := func() (int, int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.executed, l.failed
	}
	e, f := count()
	fn()
	executed, failed = count()
	return executed - e, failed - f
}

// sentArrays fails unless fn had statements with arrays executed and none refused.
func (l *arraysLog) sentArrays(t testing.TB, fn func()) {
	t.Helper()
	if executed, failed := l.in(fn); executed == 0 || failed > 0 {
		t.Errorf("%d statements with arrays were executed, %d refused", executed, failed)
	}
}

// arraysRow is upserted, and arraysVersion written by an UPDATE.
type arraysRow struct {
	ID int64 `gorm:"primaryKey;autoIncrement:false"`
	V  any   `gorm:"type:text"` // which no test migrates
}

func (arraysRow) TableName() string { return "arrays_rows" }

type arraysVersion struct {
	ID  int64 `gorm:"primaryKey;autoIncrement:false"`
	V   any   `gorm:"type:text"`
	Rev int64 `holdfast:"version"`
}

func (arraysVersion) TableName() string { return "arrays_versions" }

// arraysRun has what a save of values is.
type arraysRun struct {
	// save saves values by one call, as rows that begin with this id.
	db   *gorm.DB
	save func(first, n int) error
	// table has the column v.
	table  string
	values int
}

const arraysMany = 40

// arraysOf are the ways to save values of a type into a column.
func arraysOf(ctx context.Context, t testing.TB, db *gorm.DB, column string, values []any) []arraysRun {
	t.Helper()
	for _, text := range []string{
		"DROP TABLE IF EXISTS arrays_rows, arrays_versions",
		"CREATE TABLE arrays_rows (id bigint PRIMARY KEY, v " + column + ")",
		"CREATE TABLE arrays_versions (id bigint PRIMARY KEY, v " + column + ", rev bigint)",
		"INSERT INTO arrays_versions (id, rev) SELECT i, 1 FROM generate_series(0, 299) i",
	} {
		check.Must(t, db.Exec(text).Error)
	}
	upserted, err := gormrepo.New[arraysRow](db, nil)
	check.Must(t, err)
	updated, err := gormrepo.New[arraysVersion](db, nil)
	check.Must(t, err)
	value := func(i int) any { return values[i%len(values)] }
	return []arraysRun{
		{db, func(first, n int) error {
			return upserted.SaveAll(ctx, lo.Times(n, func(i int) *arraysRow { return &arraysRow{int64(first + i), value(i)} }))
		}, "arrays_rows", len(values)},
		{db, func(first, n int) error {
			return updated.SaveAll(ctx, lo.Times(n, func(i int) *arraysVersion { return &arraysVersion{int64(first + i), value(i), 1} }))
		}, "arrays_versions", len(values)},
	}
}

// texts are what the column has in rows that begin with an id.
func (run arraysRun) texts(t testing.TB, first, n int) []string {
	t.Helper()
	var list []string
	check.Must(t, run.db.Raw("SELECT coalesce(v::text, 'NULL!') FROM "+run.table+" WHERE id >= ? AND id < ? ORDER BY id", first, first+n).Scan(&list).Error)
	return list
}

// compare saves the values by lists and by arrays, and fails unless both ways do the same.
func (run arraysRun) compare(t *testing.T, log *arraysLog, arrays, strict bool) {
	t.Helper()
	const byArrays = 200
	var listed error
	n := max(run.values, 2) // a list of one goes another way
	if n > 23 {
		t.Fatal("too many values for a list")
	}
	if executed, failed := log.in(func() { listed = run.save(0, n) }); executed+failed > 0 {
		t.Errorf("%s: the list went as arrays", run.table)
	}
	var sent error
	executed, failed := log.in(func() { sent = run.save(byArrays, arraysMany) })
	if !strict && listed != nil { // what other drivers refuse may be good
		return
	}
	if strict && arrays != (executed > 0) || failed > 0 && listed == nil {
		t.Errorf("%s: %d statements with arrays were executed, %d refused: %v", run.table, executed, failed, sent)
	}
	if (listed == nil) != (sent == nil) || listed != nil && arraysError(listed) != arraysError(sent) {
		t.Errorf("%s: the list %v\nthe arrays %v", run.table, listed, sent)
		return
	}
	if listed != nil {
		if n := len(run.texts(t, byArrays, arraysMany)); n > 0 && run.table == "arrays_rows" {
			t.Errorf("%d rows are stored in spite of %v", n, sent)
		}
		return
	}
	want, got := run.texts(t, 0, run.values), run.texts(t, byArrays, arraysMany)
	if len(want) != run.values || len(got) != arraysMany {
		t.Fatalf("%s: %d and %d rows", run.table, len(want), len(got))
	}
	for i, g := range got {
		if w := want[i%len(want)]; g != w {
			t.Errorf("%s: value %d is %q by a list and %q by arrays", run.table, i%len(want), w, g)
			return
		}
	}
}

// arraysError is what a caller can tell errors apart by: whether it names the element, and
// what kind it is.
func arraysError(err error) string {
	batch, ok := errors.AsType[*repo.BatchError](err)
	first := -1
	if ok {
		first = batch.Items[0].Index
	}
	kinds := lo.Filter([]error{
		repo.ErrInvalid, repo.ErrDuplicateKey, repo.ErrNotFound, repo.ErrStale, repo.ErrUnsupported, repo.ErrTooMany, repo.ErrUnknown,
	}, func(kind error, _ int) bool { return errors.Is(err, kind) })
	return fmt.Sprint(first, kinds)
}
