package shapes_test

import (
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// shape is a type with the runs on the kinds of stores.
type shape struct {
	name   string
	sql    func(t *testing.T, db *gorm.DB, rnd *rand.Rand)
	memory func(t *testing.T, opts *memrepo.Options, rnd *rand.Rand)
	mongo  func(t *testing.T, db *mongo.Database, rnd *rand.Rand)
}

func ofShape[T any]() []shape {
	return []shape{{
		name: regexp.MustCompile(`[\w./-]+[./](\w+)`).ReplaceAllString(reflect.TypeFor[T]().Name(), "$1"),
		sql: func(t *testing.T, db *gorm.DB, rnd *rand.Rand) {
			t.Helper()
			table := servers.UniqueName("t")
			own, err := gorm.Open(db.Dialector, &gorm.Config{ConnPool: db.ConnPool, Logger: logger.Discard, NamingStrategy: oneTable{table: table}})
			check.Must(t, err)
			check.Must(t, own.AutoMigrate(new(T)))
			r, err := gormrepo.New[T](own, nil)
			check.Must(t, err)
			keep(t, &keeper[T]{
				r: r, rnd: rnd, defaults: true, column: func(f *schema.Field) string { return f.DBName },
				rows: func() []map[string]any { return tableRows(t, own.Table(table)) },
			})
		},
		memory: func(t *testing.T, opts *memrepo.Options, rnd *rand.Rand) {
			t.Helper()
			r, err := memrepo.New[T](opts)
			check.Must(t, err)
			keep(t, &keeper[T]{r: r, rnd: rnd, defaults: opts == nil})
		},
		mongo: keepDocuments[T],
	}}
}

// tableRows reads rows as the driver gives them.
func tableRows(t *testing.T, db *gorm.DB) (list []map[string]any) {
	t.Helper()
	rows, err := db.Rows()
	check.Must(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	check.Must(t, err)
	for rows.Next() {
		values := make([]any, len(columns))
		check.Must(t, rows.Scan(lo.ToAnySlice(lo.Map(values, func(_ any, i int) *any { return &values[i] }))...))
		list = append(list, lo.Reduce(columns, func(row map[string]any, name string, i int) map[string]any {
			row[name] = values[i]
			return row
		}, map[string]any{}))
	}
	check.Must(t, rows.Err())
	return list
}

// oneTable names the table of a type whose name is none.
type oneTable struct {
	schema.NamingStrategy
	table string
}

func (n oneTable) TableName(string) string { return n.table }

func (oneTable) IndexName(_, column string) string { return servers.UniqueName("i_" + column) }

// shapeRandom is printed, so that a run can be repeated.
func shapeRandom(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("REPOTEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		check.Must(t, err)
	}
	t.Logf("REPOTEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 7))
}

func TestGormShapes_AreKept(t *testing.T) {
	t.Parallel()
	if n := len(moreShapes()); n > 0 && len(shapes()) < 60 {
		t.Fatalf("%d shapes", len(shapes()))
	}
	for _, b := range sqldb.Backends()[:3] {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			db, rnd := b.Open(t), shapeRandom(t)
			for _, s := range shapes() {
				t.Run(s.name, func(t *testing.T) { s.sql(t, db, rnd) })
			}
		})
	}
	for name, opts := range map[string]*memrepo.Options{"Memory": nil, "MemoryOfDocuments": {Documents: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rnd := shapeRandom(t)
			for _, s := range shapes() {
				t.Run(s.name, func(t *testing.T) { s.memory(t, opts, rnd) })
			}
		})
	}
}
