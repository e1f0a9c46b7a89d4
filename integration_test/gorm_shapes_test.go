package integration_test

import (
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo/gormrepo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// shape is a type with the runs on the kinds of stores.
type shape struct {
	name    string
	sql     func(t *testing.T, db *gorm.DB, rnd *rand.Rand)
	memory  func(t *testing.T, rnd *rand.Rand)
	fresh   func(t *testing.T, open any, rnd *rand.Rand)
	onlySQL bool
}

func ofShape[T any]() []shape {
	name := regexp.MustCompile(`[\w./-]+[./](\w+)`).ReplaceAllString(reflect.TypeFor[T]().Name(), "$1")
	return []shape{{
		name: name,
		sql: func(t *testing.T, db *gorm.DB, rnd *rand.Rand) {
			t.Helper()
			table := uniqueName("t")
			own, err := gorm.Open(db.Dialector, &gorm.Config{ConnPool: db.ConnPool, Logger: logger.Discard, NamingStrategy: oneTable{table: table}})
			must(t, err)
			must(t, own.AutoMigrate(new(T)))
			r, err := gormrepo.New[T](own, nil)
			must(t, err)
			keep[T](t, r, rnd, func() []map[string]any { return tableRows(t, own.Table(table)) })
		},
		memory: func(t *testing.T, rnd *rand.Rand) {
			t.Helper()
			r, err := memrepo.New[T](nil)
			must(t, err)
			keep[T](t, r, rnd, nil)
		},
		fresh: func(t *testing.T, open any, rnd *rand.Rand) {
			t.Helper()
			keep[T](t, documentsOf[T](t, open), rnd, nil)
		},
		onlySQL: strings.HasPrefix(name, "shapeDefaulted"),
	}}
}

// tableRows reads rows as the driver gives them.
func tableRows(t *testing.T, db *gorm.DB) (list []map[string]any) {
	t.Helper()
	rows, err := db.Rows()
	must(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	must(t, err)
	for rows.Next() {
		values := make([]any, len(columns))
		must(t, rows.Scan(lo.ToAnySlice(lo.Map(values, func(_ any, i int) *any { return &values[i] }))...))
		list = append(list, lo.Reduce(columns, func(row map[string]any, name string, i int) map[string]any {
			row[name] = values[i]
			return row
		}, map[string]any{}))
	}
	must(t, rows.Err())
	return list
}

// oneTable names the table of a type whose name is none.
type oneTable struct {
	schema.NamingStrategy
	table string
}

func (n oneTable) TableName(string) string { return n.table }

func (oneTable) IndexName(_, column string) string { return uniqueName("i_" + column) }

// shapeRandom is printed, so that a run can be repeated.
func shapeRandom(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("REPOTEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		must(t, err)
	}
	t.Logf("REPOTEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 7))
}

func TestGormShapes_AreKept(t *testing.T) {
	t.Parallel()
	if n := len(moreShapes()); n > 0 && len(shapes()) < 60 {
		t.Fatalf("%d shapes", len(shapes()))
	}
	for _, b := range sqlBackends()[:3] {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			db, rnd := b.open(t), shapeRandom(t)
			for _, s := range shapes() {
				t.Run(s.name, func(t *testing.T) { s.sql(t, db, rnd) })
			}
		})
	}
	t.Run("Memory", func(t *testing.T) {
		t.Parallel()
		rnd := shapeRandom(t)
		for _, s := range shapes() {
			if !s.onlySQL {
				t.Run(s.name, func(t *testing.T) { s.memory(t, rnd) })
			}
		}
	})
}
