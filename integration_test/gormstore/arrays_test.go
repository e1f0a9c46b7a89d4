package gormstore_test

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	_ "github.com/lib/pq" // another driver of PostgreSQL
	"github.com/samber/lo"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
)

type (
	arraysInt     int
	arraysSaid    int
	arraysName    string
	arraysColor   string
	arraysBytes   []byte
	arraysUUID    [16]byte
	arraysText    struct{ s string }
	arraysNull    struct{}
	arraysList    []string
	arraysDoc     map[string]any
	arraysFloat   float32
	arraysMinute  time.Duration
	arraysPQ      struct{ v sqldriver.Value }
	arraysPtr     struct{ s string }
	arraysJSON    string
	arraysNum     int
	arraysFlag    bool
	arraysTelling int
)

func (s arraysSaid) String() string  { return "said " + strconv.Itoa(int(s)) }
func (s arraysColor) String() string { return "color " + string(s) }

func (s arraysText) Value() (sqldriver.Value, error) { return s.s, nil }
func (s arraysTelling) Int64Value() (pgtype.Int8, error) {
	return pgtype.Int8{Int64: 77, Valid: true}, nil
}
func (s arraysNull) Value() (sqldriver.Value, error) { return nil, nil }
func (s arraysList) Value() (sqldriver.Value, error) { return "{" + strings.Join(s, ",") + "}", nil }
func (s arraysDoc) Value() (sqldriver.Value, error)  { return json.Marshal(s) }
func (s arraysPQ) Value() (sqldriver.Value, error)   { return s.v, nil }
func (s *arraysPtr) Value() (sqldriver.Value, error) {
	if s == nil {
		return "nobody", nil
	}
	return s.s, nil
}

func (s arraysJSON) MarshalJSON() ([]byte, error) { return []byte(`{"a":"` + string(s) + `"}`), nil }

type arraysValuer interface {
	Value() (sqldriver.Value, error)
}

// arraysCase are values for a column, which go as arrays or not.
type arraysCase struct {
	column string
	arrays bool
	values []any
}

func sent[V any](column string, values ...V) arraysCase {
	return arraysCase{column, true, lo.ToAnySlice(values)}
}

func listed[V any](column string, values ...V) arraysCase {
	return arraysCase{column, false, lo.ToAnySlice(values)}
}

func arraysTimes() []time.Time {
	zone := func(seconds int) *time.Location { return time.FixedZone("", seconds) }
	day := time.Date(2024, 2, 29, 23, 59, 59, 999_999_999, time.UTC)
	return []time.Time{
		day, day.In(zone(5*3600 + 1800)), day.In(zone(-(9*3600 + 17*60 + 33))), day.In(zone(-30)), day.In(zone(59)), day.In(zone(20 * 3600)),
		day.In(zone(-20 * 3600)), day.Add(-500 * time.Nanosecond), time.Unix(0, 0), time.Unix(0, 1500), time.Unix(-1, 999_999_500).UTC(),
		time.Date(1900, 1, 1, 0, 0, 0, 1, zone(1172)), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
		{},
	}
}

func arraysOddTimes() []time.Time {
	return []time.Time{
		time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(-4000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)), time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200)),
	}
}

var arraysTexts = []string{
	"", "NULL", "null", `"`, `\`, `\\`, `\"`, `{}`, `{"a"}`, `,`, `a,b`, " x ", "\t", "a\nb\r\n", "é日本😀", "'", "''", "$1 ? ?? @x", `\x41`, `\N`, "E'\\n'", "\u202e",
}

func arraysKinds() []arraysCase {
	one, text, neg := 1, "a\"b", -1
	no := (*int)(nil)
	when := time.Date(2024, 1, 2, 3, 4, 5, 6000, time.UTC)
	bytes := []byte{0, 1, '"', '\\', 255}
	some := json.RawMessage(`{"b": "x\"y",  "a":[1, 2]}`)
	return []arraysCase{
		sent[int8]("smallint", 0, math.MinInt8, math.MaxInt8),
		sent[int16]("smallint", 0, math.MinInt16, math.MaxInt16),
		sent[int32]("integer", 0, math.MinInt32, math.MaxInt32),
		sent("bigint", 0, math.MinInt64, math.MaxInt64),
		sent[uint8]("integer", 0, 255),
		sent[uint32]("bigint", 0, math.MaxUint32),
		sent[uint64]("bigint", 0, math.MaxInt64),
		sent[uint]("numeric", 0, math.MaxInt64),
		listed[uint64]("bigint", math.MaxUint64),
		listed[uint64]("numeric", 1, math.MaxUint64),
		listed[uint64]("numeric(20,0)", 1, math.MaxUint64),
		listed[uint64]("double precision", 1, math.MaxUint64),
		listed("smallint", 40000),
		sent("real", 0, 16777217, math.MaxInt64, math.MinInt64, 9007199791611905),
		sent("double precision", 0, 9007199254740993, math.MaxInt64),
		sent("numeric", 0, -5, math.MaxInt64),
		sent("numeric(6,2)", 0, -5),
		listed("numeric(4,2)", 100),
		listed("text", 1, 2),
		listed("boolean", 1),
		sent[arraysInt]("bigint", 0, -7),
		sent[arraysSaid]("integer", 0, -7),
		listed[arraysSaid]("text", 0, -7),
		sent[arraysNum]("smallint", 1),
		listed[time.Duration]("bigint", 0, time.Hour),
		sent[arraysMinute]("bigint", 0, arraysMinute(time.Hour)),
		listed[time.Duration]("interval", 0, time.Hour),
		sent("boolean", true, false),
		sent[arraysFlag]("boolean", true, false),
		sent("double precision", 0, math.Copysign(0, -1), math.MaxFloat64, math.SmallestNonzeroFloat64, 0.1, 1e21, 123456789.123456789),
		listed("double precision", math.NaN(), math.Inf(1), math.Inf(-1)),
		sent[float32]("real", 0, float32(math.Copysign(0, -1)), math.MaxFloat32, math.SmallestNonzeroFloat32, 0.1, 16777216),
		sent[float32]("double precision", 0.1, math.MaxFloat32),
		sent[float32]("numeric", 0.1, 1e20, -2.5),
		sent[arraysFloat]("real", 0.1),
		sent("real", 0.1, 1e-50, 3.4028235e38, 1.00000017881393421514957253748434595763683319091796875001, 1+math.Pow(2, -24), 1+3*math.Pow(2, -24), math.Pow(2, -149)*1.5),
		listed("real", 1e300),
		sent("numeric", 0.1, 1e300, 1e-300, math.Copysign(0, -1), 1.5e21),
		sent("numeric(10,3)", 0.12345, 2.0005),
		listed("integer", 1.5),
		listed("integer", 2.0),
		sent("text", arraysTexts...),
		sent("varchar(40)", arraysTexts...),
		sent("varchar", arraysTexts...),
		sent("char(30)", arraysTexts...),
		sent("char(3)", "a", "abc  ", ""),
		sent("name", "", "x\"y"),
		sent(`"char"`, "a", ""),
		listed("text", "a\x00b"),
		listed("text", "a\xffb"),
		listed("varchar(3)", "abcd"),
		listed("char(3)", "abcd"),
		sent("varchar(3)", "abc   "),
		sent[arraysName]("text", "a\"b", ""),
		sent[arraysName]("arrays_enum", "a\"b", `c\d,`),
		listed[arraysName]("arrays_enum", "x"),
		sent[arraysColor]("text", "red", ""),
		sent[arraysColor]("varchar(30)", "red", ""),
		sent[arraysColor]("arrays_enum", "a\"b"),
		listed[arraysColor]("jsonb", "red"),
		listed[arraysName]("json", "red"),
		listed[arraysJSON]("json", "red"),
		sent[arraysJSON]("text", "red"),
		sent("arrays_text", "a\"b", ""),
		sent("arrays_text", text),
		listed("arrays_text", "toolong-toolong"),
		listed("arrays_int", 5, 7),
		listed("arrays_int", -5),
		listed("arrays_bytea", bytes, nil, []byte{}),
		listed("arrays_nested", 5),
		sent("arrays_nested", "5"),
		sent("inet", "10.0.0.1", "::1/128"),
		sent("interval", "1 mon -2 days 03:04:05.123456", "P1Y"),
		sent("bit(4)", "1010"),
		listed("bit(4)", "101"),
		sent("bit varying(9)", "101", ""),
		sent("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC999C0B4EF8BB6D6BB9BD380A11"),
		listed("uuid", [16]byte{1, 2}),
		listed("uuid", arraysUUID{1, 2}),
		sent("money", "$12.34"),
		listed("box", "(1,2),(3,4)"),
		sent("point", "(1,2)"),
		sent("xml", "<a b=\"1\"/>"),
		sent("tsvector", "a b:3 'c d'"),
		sent("int4range", "[1,5)", "empty"),
		sent("oid", "5"),
		sent("regclass", "pg_class"),
		sent("time", "23:59:60", "24:00"),
		sent("timetz", "04:05:06-08:00"),
		listed("arrays_pair", `(1,"a,b")`),
		listed("arrays_single", `("a,b")`),
		listed("arrays_pairs", `(1,"a,b")`),
		listed("text[]", `{a,"b,c"}`),
		listed("integer[]", `{1,2}`),
		listed("text[]", arraysList{"a"}),
		listed("text[]", []string{"a", "b,c"}),
		listed("integer[]", []int32{1, 2}),
		sent("bytea", bytes, nil, []byte{}, []byte("a")),
		sent("bytea", "abc", `\x4142`, `\\`, `\101`),
		sent("bytea", json.RawMessage("a"), nil),
		listed("bytea", arraysBytes(bytes), nil),
		listed("text", []byte("a\"\\"), nil, []byte{}),
		listed("varchar(9)", []byte("a\"\\"), nil, []byte{}),
		listed("char(9)", []byte("a")),
		listed("text", []byte{255}),
		sent("json", some, nil, json.RawMessage("null")),
		sent("jsonb", some, nil, json.RawMessage("null")),
		listed("jsonb", json.RawMessage("{")),
		listed("jsonb", json.RawMessage{}),
		listed("jsonb", json.RawMessage(`"\u0000"`)),
		sent("json", []byte(some), nil),
		sent("jsonb", []byte(some), nil),
		sent("json", string(some), "1"),
		sent("jsonb", string(some), "1"),
		listed("jsonb", ""),
		listed("json", true),
		listed("json", 1),
		listed("json", 1.5),
		listed("json", map[string]any{"a": 1}),
		listed("json", when),
		sent("json", arraysDoc{"a": `"\`}),
		sent("jsonb", arraysDoc{"a": `"\`}, nil),
		sent("json", arraysText{"{}"}),
		sent("jsonb", arraysText{"[1, 2]"}),
		sent("timestamptz", when.Add(1500)),
		sent("timestamp", when.Add(1500)),
		sent("date", time.Date(2024, 1, 2, 23, 59, 59, 999_999_999, time.UTC)),
		sent("timestamptz", arraysTimes()...),
		sent("timestamp", arraysTimes()...),
		sent("date", arraysTimes()...),
		sent("timestamptz(3)", arraysTimes()...),
		sent("timestamp(3)", arraysTimes()...),
		sent("timestamp(0)", arraysTimes()...),
		listed("arrays_when", arraysTimes()...),
		listed("time", when),
		listed("timetz", when),
		listed("text", when),
		listed("timestamptz", arraysOddTimes()...),
		listed("timestamp", arraysOddTimes()[:3]...),
		listed("date", arraysOddTimes()[:3]...),
		listed("timestamptz", time.Date(300000, 1, 1, 0, 0, 0, 0, time.UTC)),
		sent("timestamptz", "2024-01-02 03:04:05.678+07", "infinity"),
		sent("bigint", &one, nil, &neg, no),
		sent("text", &text, nil),
		sent("json", new(string(some)), nil),
		sent("jsonb", new(string(some)), nil),
		sent("boolean", new(true), nil),
		sent("double precision", new(1.5), nil),
		sent("timestamptz", &when, nil),
		sent("timestamp", &when, nil),
		sent("bytea", &bytes, nil),
		sent("jsonb", &some, nil),
		sent("bigint", new(new(5)), nil),
		sent("bigint", sql.NullInt64{}, sql.NullInt64{Int64: 5, Valid: true}),
		sent("integer", sql.NullInt32{Int32: 5, Valid: true}, sql.NullInt32{}),
		sent("smallint", sql.NullByte{}, sql.NullByte{Byte: 5, Valid: true}),
		sent("text", sql.NullString{}, sql.NullString{String: "NULL", Valid: true}),
		sent("boolean", sql.NullBool{}, sql.NullBool{Bool: true, Valid: true}),
		sent("double precision", sql.NullFloat64{}, sql.NullFloat64{Float64: .1, Valid: true}),
		sent("timestamptz", sql.NullTime{}, sql.NullTime{Time: when, Valid: true}),
		sent("bigint", sql.Null[arraysInt]{}, sql.Null[arraysInt]{V: 5, Valid: true}),
		sent("text", sql.Null[arraysName]{}, sql.Null[arraysName]{V: "a", Valid: true}),
		sent("text", sql.Null[arraysColor]{}, sql.Null[arraysColor]{V: "a", Valid: true}),
		sent("text", sql.Null[arraysText]{}, sql.Null[arraysText]{V: arraysText{"a"}, Valid: true}),
		sent("text", sql.Null[string]{}, sql.Null[string]{V: "a\"b", Valid: true}),
		sent("bytea", sql.Null[[]byte]{}, sql.Null[[]byte]{V: bytes, Valid: true}),
		sent("text", arraysText{"a\"b"}, arraysText{""}),
		sent("numeric", arraysText{"1.50"}, arraysText{"-0.000"}, arraysText{"1e5"}, arraysText{"NaN"}, arraysText{"123456789012345678901234567890.123"}),
		sent("numeric(30,5)", arraysText{"1.50"}, arraysText{"123456789012345678901234.123"}),
		sent("bigint", arraysText{"5"}, arraysText{" 7 "}),
		sent("integer", arraysText{"5"}),
		sent("double precision", arraysText{"0.1"}, arraysText{"1e-7"}, arraysText{"NaN"}),
		sent("real", arraysText{"0.1"}, arraysText{"1.000000059604644775390626"}),
		sent("boolean", arraysText{"t"}, arraysText{"yes"}, arraysText{"off"}, arraysText{"0"}),
		sent("timestamptz", arraysText{"2024-01-02 03:04:05.123456+00"}, arraysText{"2024-01-02T03:04:05Z"}, arraysText{"2024-01-02 03:04:05.1234567+05:30"}, arraysText{"2024-01-02"}),
		sent("timestamp", arraysText{"2024-01-02 03:04:05.1234567"}, arraysText{"2024-01-02"}),
		sent("date", arraysText{"2024-01-02"}, arraysText{"2024-1-2"}, arraysText{"infinity"}, arraysText{"0044-03-15 BC"}),
		sent("time", arraysText{"03:04:05.1234567"}, arraysText{"24:00:00"}),
		sent("interval", arraysText{"1 mon 2 days"}, arraysText{"-1:02:03.1234567"}, arraysText{"1 year 00:00:00"}, arraysText{"P1D"}),
		sent("bytea", arraysText{`\x4142`}, arraysText{"abc"}),
		sent("uuid", arraysText{"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}),
		sent("inet", arraysText{"10.0.0.1/8"}, arraysText{"::ffff:1.2.3.4"}),
		sent("bit(4)", arraysText{"1010"}),
		sent("bit varying(9)", arraysText{"101"}),
		sent("point", arraysText{"(1.5,2)"}),
		sent("int4range", arraysText{"[1,5]"}),
		sent("macaddr", arraysText{"08:00:2b:01:02:03"}),
		sent("char(9)", arraysText{"a "}),
		sent("text", arraysNull{}),
		sent("bigint", arraysPQ{int64(5)}),
		sent("double precision", arraysPQ{1.5}, arraysPQ{nil}),
		sent("boolean", arraysPQ{true}),
		sent("timestamptz", arraysPQ{when}),
		sent("bytea", arraysPQ{bytes}),
		listed("text", arraysPQ{[]byte("a\"b")}),
		listed("uuid", arraysPQ{[]byte("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")}),
		listed("numeric", arraysPQ{[]byte("1.5")}),
		listed("text", arraysPQ{int64(5)}),
		listed("text", (*arraysPtr)(nil), &arraysPtr{"x"}),
		sent("text", &arraysPtr{"x"}),
		sent("text", &arraysText{"x"}, nil),
		sent("text", arraysValuer(arraysText{"x"}), nil),
	}
}

var arraysTypes = []string{
	`CREATE TYPE arrays_enum AS ENUM ('a"b', 'c\d,', 'red')`,
	"CREATE DOMAIN arrays_text AS varchar(9) CHECK (value <> 'bad')",
	"CREATE DOMAIN arrays_int AS integer CHECK (value > 0)",
	"CREATE DOMAIN arrays_bytea AS bytea",
	"CREATE DOMAIN arrays_when AS timestamp",
	"CREATE DOMAIN arrays_nested AS arrays_int",
	"CREATE TYPE arrays_pair AS (a integer, b text)",
	"CREATE TYPE arrays_single AS (a text)",
	"CREATE DOMAIN arrays_pairs AS arrays_pair",
}

// arraysConnections are the ways to connect to PostgreSQL. Not all send values as pgx does by
// default.
var arraysConnections = map[string]func(dsn string) (*gorm.DB, error){
	"Default": func(dsn string) (*gorm.DB, error) { return gorm.Open(postgres.Open(dsn)) },
	"Simple": func(dsn string) (*gorm.DB, error) {
		return gorm.Open(postgres.New(postgres.Config{DSN: dsn, PreferSimpleProtocol: true}))
	},
	"Exec": func(dsn string) (*gorm.DB, error) {
		return gorm.Open(postgres.Open(dsn + "&default_query_exec_mode=exec"))
	},
	"ExecElsewhere": func(dsn string) (*gorm.DB, error) {
		return gorm.Open(postgres.Open(dsn + "&default_query_exec_mode=exec&TimeZone=America/St_Johns"))
	},
	"Elsewhere": func(dsn string) (*gorm.DB, error) {
		return gorm.Open(postgres.Open(dsn + "&TimeZone=America/St_Johns&DateStyle=SQL,DMY&IntervalStyle=sql_standard"))
	},
	"CacheDescribe": func(dsn string) (*gorm.DB, error) {
		return gorm.Open(postgres.Open(dsn + "&default_query_exec_mode=cache_describe"))
	},
	"PrepareStmt": func(dsn string) (*gorm.DB, error) {
		return gorm.Open(postgres.Open(dsn), &gorm.Config{PrepareStmt: true})
	},
	"LibPQ": func(dsn string) (*gorm.DB, error) {
		return gorm.Open(postgres.New(postgres.Config{DriverName: "postgres", DSN: dsn}))
	},
	"LibPQBinary": func(dsn string) (*gorm.DB, error) {
		return gorm.Open(postgres.New(postgres.Config{DriverName: "postgres", DSN: dsn + "&binary_parameters=yes"}))
	},
	"NullsOff": func(dsn string) (*gorm.DB, error) { return gorm.Open(postgres.Open(dsn + "&array_nulls=off")) },
	"Latin1":   func(dsn string) (*gorm.DB, error) { return gorm.Open(postgres.Open(dsn + "&client_encoding=LATIN1")) },
	"SJIS":     func(dsn string) (*gorm.DB, error) { return gorm.Open(postgres.Open(dsn + "&client_encoding=SJIS")) },
}

// What arrays store is what a list of values stores, for each kind of value in each kind of
// column.
func TestGormArrays_Kinds(t *testing.T) {
	t.Parallel()
	for name, open := range arraysConnections {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := sqldb.PostgresSchema(t) + "&synchronous_commit=off"
			for _, text := range arraysTypes {
				sqldb.RunOnce(t, drivers.Postgres, dsn, text)
			}
			for _, c := range arraysKinds() {
				c.run(t, dsn, open, name == "Default")
			}
		})
	}
}

// The types of extensions go as arrays too.
func TestGormArrays_Extensions(t *testing.T) {
	t.Parallel()
	dsn := sqldb.PostgresSchema(t)
	db := sqldb.Open(t, drivers.SQLConfig{Dialect: drivers.Postgres, DSN: dsn})
	for name, cases := range map[string][]arraysCase{
		"citext": {sent("citext", arraysTexts...), sent[arraysColor]("citext", "red")},
		"hstore": {sent("hstore", `a=>"x,y", "b\""=>NULL`), sent("hstore", arraysText{`"a"=>"x,y"`})},
	} {
		t.Run(name, func(t *testing.T) {
			if err := db.Exec("CREATE EXTENSION " + name).Error; err != nil {
				t.Skip("the extension cannot be installed here:", err)
			}
			for _, c := range cases {
				c.run(t, dsn, arraysConnections["Default"], true)
			}
		})
	}
}

func (c arraysCase) run(t *testing.T, dsn string, open func(string) (*gorm.DB, error), strict bool) {
	t.Helper()
	t.Run(fmt.Sprintf("%s_%T", c.column, c.values[0]), func(t *testing.T) {
		db, err := open(dsn)
		check.Must(t, err)
		defer sqldb.Close(t, db)
		log := logArrays(db)
		runs := arraysOf(t.Context(), t, db, c.column, c.values)
		if !strict {
			runs = runs[:1] // the elements are the same
		}
		for _, run := range runs {
			run.compare(t, log, c.arrays, strict)
		}
	})
}
