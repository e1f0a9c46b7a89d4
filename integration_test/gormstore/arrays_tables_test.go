package gormstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

type arraysPart struct {
	Street string `gorm:"size:40"`
	Number *int
}

// arraysRaised writes an expression.
type arraysRaised int //nolint:recvcheck // a Scan needs a pointer, and GORM asks the value

func (arraysRaised) GormDataType() string { return "bigint" }

func (v arraysRaised) GormValue(context.Context, *gorm.DB) clause.Expr {
	return clause.Expr{SQL: "CAST(? AS bigint) + 1", Vars: []any{int(v)}}
}

func (v *arraysRaised) Scan(from any) error {
	n, ok := from.(int64)
	if !ok {
		return fmt.Errorf("%T", from)
	}
	*v = arraysRaised(n)
	return nil
}

// arraysWide has the types that most entities have, and what tags do to them.
type arraysWide struct {
	ID      int64  `gorm:"primaryKey;autoIncrement:false"`
	Name    string `gorm:"size:40"`
	Named   arraysName
	Said    arraysSaid
	Small   int8
	Big     uint64
	Short   float32
	Long    float64
	Flag    bool
	When    time.Time
	Maybe   *time.Time
	Bytes   []byte
	Raw     json.RawMessage `gorm:"type:jsonb"`
	Tags    []string        `gorm:"serializer:json"`
	Gob     map[string]int  `gorm:"serializer:gob;type:bytea"`
	Unix    int64           `gorm:"serializer:unixtime;type:timestamptz"`
	In      arraysPart      `gorm:"embedded;embeddedPrefix:in_"`
	Out     *arraysPart     `gorm:"embedded;embeddedPrefix:out_"`
	Ten     int             `gorm:"default:10"`
	Word    string          `gorm:"default:it's \"one\""`
	Nothing string          `gorm:"default:null"`
	Made    string          `gorm:"default:upper('made')"`
	Summed  int64           `gorm:"->;type:bigint GENERATED ALWAYS AS (small + 1) STORED"`
	Created time.Time       `holdfast:"created"`
	Gone    gorm.DeletedAt
}

func arraysWides(first, n int) []*arraysWide {
	when := time.Date(2024, 1, 2, 3, 4, 5, 678_901_000, time.FixedZone("", 5*3600))
	return lo.Times(n, func(i int) *arraysWide {
		e := &arraysWide{ID: int64(first + i), Created: when}
		if i%3 > 0 {
			e.Name, e.Named, e.Said, e.Small, e.Big, e.Short, e.Long, e.Flag = `q"\,{}`, "n", 3, -5, 7, .1, .1, true
			e.When, e.Maybe, e.Bytes, e.Raw, e.Tags = when, &when, []byte("\x00\"\\"), json.RawMessage(`{"a": "\\\""}`), []string{`"`}
			e.Gob, e.Unix, e.In, e.Ten, e.Word, e.Nothing = map[string]int{"a": 1}, 1, arraysPart{"s", new(3)}, 4, "w", "x"
		}
		if i%3 == 2 {
			e.Out, e.Made = &arraysPart{"o", nil}, "m"
		}
		return e
	})
}

// An entity's rows are the same, however many are saved at once.
func TestGormArrays_Fields(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*gormrepo.Options{"Plain": nil, "Revive": {Revive: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, ctx := sqldb.Postgres(t), check.Bounded(t, time.Minute)
			log := logArrays(db)
			r := sqldb.Repository[arraysWide](t, db, opts)
			for round := range 3 {
				if round == 2 && opts != nil {
					check.Must(t, db.Exec("UPDATE arrays_wides SET gone = now()").Error)
				}
				if round > 0 {
					check.Must(t, db.Exec("UPDATE arrays_wides SET name = 'old', ten = 5, word = 'old', nothing = 'old', made = 'old'").Error)
				}
				for _, e := range arraysWides(0, 6) {
					check.Must(t, r.Save(ctx, e))
				}
				log.sentArrays(t, func() { check.Must(t, r.SaveAll(ctx, arraysWides(1000, 240))) })
				var diffs []string
				check.Must(t, db.Raw(`SELECT a.ten || b::text FROM arrays_wides a JOIN arrays_wides b ON a.id = (b.id - 1000) % 3
					WHERE a.id < 3 AND b.id >= 1000 AND to_jsonb(a) - 'id' <> to_jsonb(b) - 'id' LIMIT 5`).Scan(&diffs).Error)
				var n int64
				check.Must(t, db.Model(new(arraysWide)).Count(&n).Error)
				if len(diffs) > 0 || n != 246 {
					t.Errorf("round %d: %d rows are there, and differ: %v", round, n, diffs)
				}
			}
		})
	}
}

type arraysExpr struct {
	ID int64 `gorm:"primaryKey;autoIncrement:false"`
	V  arraysRaised
}

type arraysTold struct {
	ID int64 `gorm:"primaryKey;autoIncrement:false"`
	V  arraysTelling
	P  *arraysTelling
}

// A field that writes an expression, or tells the driver what it is, is written by a list.
func TestGormArrays_FieldsThatSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	db, ctx := sqldb.Postgres(t), check.Bounded(t, time.Minute)
	raised, told := sqldb.Repository[arraysExpr](t, db, nil), sqldb.Repository[arraysTold](t, db, nil)
	check.Must(t, raised.SaveAll(ctx, lo.Times(40, func(i int) *arraysExpr { return &arraysExpr{int64(i), arraysRaised(i)} })))
	check.Must(t, told.SaveAll(ctx, lo.Times(40, func(i int) *arraysTold { return &arraysTold{int64(i), 1, new(arraysTelling)} })))
	var n []int64
	check.Must(t, db.Raw("SELECT count(*) FROM arrays_exprs WHERE v = id + 1 UNION ALL SELECT count(*) FROM arrays_tolds WHERE v = 77 AND p = 77").Scan(&n).Error)
	if fmt.Sprint(n) != "[40 40]" {
		t.Errorf("%d rows", n)
	}
}

// arraysTwoKeys has a key of two columns.
type arraysTwoKeys[A, B any] struct {
	A    A `gorm:"primaryKey"`
	B    B `gorm:"primaryKey"`
	Text string
	Rev  int64 `holdfast:"version"`
}

func (arraysTwoKeys[A, B]) TableName() string { return "arrays_two_keys" }

func arraysKeys[A, B any](t *testing.T, a, b string, as func(int) A, bs func(int) B) {
	t.Helper()
	t.Run(a+"_"+b, func(t *testing.T) {
		t.Parallel()
		db, ctx := sqldb.Postgres(t), check.Bounded(t, time.Minute)
		check.Must(t, db.Exec("CREATE TYPE arrays_key AS ENUM ('k0', 'k1', 'k2')").Error)
		check.Must(t, db.Exec("CREATE TABLE arrays_two_keys (a "+a+", b "+b+", text text, rev bigint, PRIMARY KEY (a, b))").Error)
		log := logArrays(db)
		r, err := gormrepo.New[arraysTwoKeys[A, B]](db, nil)
		check.Must(t, err)
		list := lo.Times(40, func(i int) *arraysTwoKeys[A, B] { return &arraysTwoKeys[A, B]{A: as(i), B: bs(i), Text: "x"} })
		check.Must(t, r.SaveAll(ctx, list))
		log.sentArrays(t, func() {
			for i, e := range list {
				e.Text = fmt.Sprint("y", i)
			}
			check.Must(t, r.SaveAll(ctx, list))
		})
		for i, e := range list {
			if e.Rev != 2 {
				t.Fatalf("element %d has version %d", i, e.Rev)
			}
		}
		var n int64
		check.Must(t, db.Raw("SELECT count(*) FROM arrays_two_keys WHERE rev = 2 AND text LIKE 'y%'").Scan(&n).Error)
		if n != 40 {
			t.Errorf("%d rows were overwritten", n)
		}
	})
}

func TestGormArrays_Keys(t *testing.T) {
	t.Parallel()
	number := func(i int) int { return i }
	arraysKeys(t, "integer", "timestamptz", func(i int) int32 { return int32(i % 2) }, func(i int) time.Time { return time.Unix(int64(i), 5000) })
	arraysKeys(t, "bytea", "date", func(i int) string { return fmt.Sprint("x", i) }, func(i int) time.Time { return time.Date(2024, 1, i, 0, 0, 0, 0, time.UTC) })
	arraysKeys(t, "uuid", "arrays_key", func(i int) string { return fmt.Sprintf("a0eebc99-9c0b-4ef8-bb6d-6bb9bd3800%02d", i) }, func(i int) arraysName { return arraysName(fmt.Sprint("k", i%3)) })
	arraysKeys(t, "char(9)", "smallint", func(i int) string { return fmt.Sprintf("%-9d", i) }, number)
}

// arraysNamer gives every table one name.
type arraysNamer struct {
	schema.Namer
	table string
}

func (n arraysNamer) TableName(string) string { return n.table }

type arraysPlain struct {
	ID   int64 `gorm:"primaryKey;autoIncrement:false"`
	Name string
	At   time.Time
}

func arraysPlains(n int, name string) []*arraysPlain {
	return lo.Times(n, func(i int) *arraysPlain { return &arraysPlain{int64(i), name, time.Unix(5, 0).UTC()} })
}

// Tables of any name and kind take arrays, or lists where arrays do not work.
func TestGormArrays_Tables(t *testing.T) {
	t.Parallel()
	const columns = "(id bigint PRIMARY KEY, name text, at timestamptz"
	for name, c := range map[string]struct {
		table, make string
		arrays      bool
		then        string
	}{
		"Quoted":      {`Odd Name"s?`, `CREATE TABLE "Odd Name""s?" ` + columns + ")", true, ""},
		"Qualified":   {"", "CREATE TABLE %[1]s.things " + columns + ")", true, ""},
		"Date":        {"date", `CREATE TABLE "date" ` + columns + ")", false, ""},
		"Text":        {"text", `CREATE TABLE "text" ` + columns + ")", false, ""},
		"User":        {"user", `CREATE TABLE "user" ` + columns + ")", true, ""},
		"Order":       {"order", `CREATE TABLE "order" ` + columns + ")", true, ""},
		"Partitioned": {"parts", "CREATE TABLE parts " + columns + ") PARTITION BY RANGE (id)", true, "CREATE TABLE parts_1 PARTITION OF parts DEFAULT"},
		"View":        {"seen", "CREATE TABLE hidden " + columns + ", more int DEFAULT 5)", true, "CREATE VIEW seen AS SELECT at, id, name FROM hidden"},
		"Dropped":     {"dropped", "CREATE TABLE dropped (old int, id bigint PRIMARY KEY, older text, name text, at timestamptz)", true, "ALTER TABLE dropped DROP COLUMN old, DROP COLUMN older"},
		"Inherited":   {"child", "CREATE TABLE parent (name text)", true, "CREATE TABLE child (id bigint PRIMARY KEY, at timestamptz) INHERITS (parent)"},
		"Trigger": {
			"fired", "CREATE TABLE fired " + columns + ")", true,
			`CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.name = 'skip' THEN RETURN NULL; END IF; NEW.at = 'epoch'; RETURN NEW; END $$;
			 CREATE TRIGGER fire BEFORE INSERT OR UPDATE ON fired FOR EACH ROW EXECUTE FUNCTION fire()`,
		},
		"Identity": {"always", "CREATE TABLE always (id bigint PRIMARY KEY, name text, at timestamptz, n bigint GENERATED ALWAYS AS IDENTITY)", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, ctx := sqldb.Postgres(t), check.Bounded(t, time.Minute)
			var own string
			check.Must(t, db.Raw("SELECT current_schema()").Scan(&own).Error)
			if c.table == "" {
				c.table, c.make = own+".things", fmt.Sprintf(c.make, own)
			}
			pool, err := db.DB()
			check.Must(t, err)
			for _, text := range append([]string{c.make}, strings.SplitAfter(c.then, ";\n")...) {
				if text == "" {
					continue
				}
				_, err := pool.ExecContext(ctx, text)
				check.Must(t, err)
			}
			// the entity's own name is that of another table
			db.NamingStrategy = arraysNamer{db.NamingStrategy, c.table}
			log := logArrays(db)
			r, err := gormrepo.New[arraysPlain](db, nil)
			check.Must(t, err)
			for round := range 3 {
				executed, failed := log.in(func() { check.Must(t, r.SaveAll(ctx, arraysPlains(40, fmt.Sprint(round)))) })
				if c.arrays != (executed > 0) || failed > 0 && (c.arrays || round > 0) {
					t.Errorf("round %d: %d statements with arrays were executed, %d refused", round, executed, failed)
				}
				var n int64
				check.Must(t, db.Model(new(arraysPlain)).Where("name = ?", fmt.Sprint(round)).Count(&n).Error)
				if n != 40 {
					t.Errorf("round %d: %d rows", round, n)
				}
			}
		})
	}
}

// The error names the element that a column does not take, and nothing is stored.
func TestGormArrays_RefusedRows(t *testing.T) {
	t.Parallel()
	db, ctx := sqldb.Postgres(t), check.Bounded(t, time.Minute)
	check.Must(t, db.Exec("CREATE TABLE arrays_plains (id bigint PRIMARY KEY, name varchar(3) CHECK (name <> 'bad'), at timestamptz, FOREIGN KEY (id) REFERENCES arrays_plains (id))").Error)
	log := logArrays(db)
	r, err := gormrepo.New[arraysPlain](db, nil)
	check.Must(t, err)
	check.Must(t, r.SaveAll(ctx, arraysPlains(3, "old")))
	for name, bad := range map[string]string{"TooLong": "abcd", "Check": "bad", "Nul": "\x00", "UTF8": "\xff"} {
		list := arraysPlains(60, "ok")
		list[50].Name = bad
		_, failed := log.in(func() { err = r.SaveAll(ctx, list) })
		batch, ok := errors.AsType[*repo.BatchError](err)
		if failed == 0 || !ok || len(batch.Items) != 1 || batch.Items[0].Index != 50 {
			t.Errorf("%s: %d statements with arrays were refused, got %v", name, failed, err)
		}
		var n int64
		check.Must(t, db.Model(new(arraysPlain)).Count(&n).Error)
		if n != 3 {
			t.Errorf("%s: %d rows", name, n)
		}
	}
}

// More rows than one statement takes, with one that cannot go as an element of an array.
func TestGormArrays_ManyRows(t *testing.T) {
	t.Parallel()
	db, ctx := sqldb.Postgres(t), check.Bounded(t, time.Minute)
	type arraysNumber struct {
		ID int64 `gorm:"primaryKey;autoIncrement:false"`
		F  float64
		S  string
	}
	log := logArrays(db)
	r := sqldb.Repository[arraysNumber](t, db, nil)
	list := lo.Times(5001, func(i int) *arraysNumber { return &arraysNumber{ID: int64(i), F: float64(i)} })
	for _, last := range []int{5000, 4999, 0} {
		for _, e := range list {
			e.F = float64(e.ID)
		}
		list[last].F = math.NaN()
		log.in(func() { check.Must(t, r.SaveAll(ctx, list)) })
		var n int64
		check.Must(t, db.Raw("SELECT count(*) FROM arrays_numbers WHERE f = id").Scan(&n).Error)
		if n != 5000 {
			t.Errorf("%d rows", n)
		}
	}
	// Texts that are too long for one message go in parts.
	for _, e := range list {
		e.S, e.F = strings.Repeat(`"`, 30_000), 1
	}
	if executed, failed := log.in(func() { check.Must(t, r.SaveAll(ctx, list)) }); executed > 0 || failed > 0 {
		t.Errorf("%d statements with arrays were executed, %d refused", executed, failed)
	}
}
