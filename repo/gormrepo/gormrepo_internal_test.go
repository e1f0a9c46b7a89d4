package gormrepo

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/utils/tests"
)

type stateError string

func (e stateError) Error() string    { return "ada@example.com is there" }
func (e stateError) SQLState() string { return string(e) }

type codeError int

func (e codeError) Error() string { return "constraint failed" }
func (e codeError) Code() int     { return int(e) }

// innermost translates its own error only when it stands alone, as the dialects
// do.
type innermost struct {
	tests.DummyDialector
	own error
}

func (d innermost) Translate(err error) error {
	if err == d.own { //nolint:errorlint // that is what the dialects do
		return gorm.ErrDuplicatedKey
	}
	return err
}

func TestIsDuplicate(t *testing.T) {
	t.Parallel()
	own := errors.New("1062")
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"PostgreSQL":           {stateError("23505"), true},
		"OtherState":           {stateError("23503"), false},
		"SQLitePrimaryKey":     {codeError(1555), true},
		"SQLiteUnique":         {codeError(2067), true},
		"SQLiteBusy":           {codeError(5), false},
		"TranslatedAlready":    {gorm.ErrDuplicatedKey, true},
		"Dialect":              {own, true},
		"DialectWrapped":       {fmt.Errorf("a: %w", fmt.Errorf("b: %w", own)), true},
		"DialectJoined":        {errors.Join(errors.New("x"), own), true},
		"WrappedState":         {fmt.Errorf("x; %w", stateError("23505")), true},
		"SomethingElse":        {errors.New("x"), false},
		"SomethingElseWrapped": {fmt.Errorf("y: %w", errors.New("x")), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := isDuplicate(c.err, innermost{own: own}); got != c.want {
				t.Fatalf("got %v", got)
			}
		})
	}
}

func TestIdentityOfEqualKeys(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 2, 29, 12, 0, 0, 123, time.UTC)
	text := "a"
	for name, pair := range map[string][2]any{
		"Zones":    {at, at.In(time.FixedZone("x", 3600))},
		"Bytes":    {[]byte("a"), []byte("a")},
		"Pointers": {&text, func() *string { s := "a"; return &s }()},
		"Valuers":  {sql.NullString{String: "a", Valid: true}, sql.NullString{String: "a", Valid: true}},
		"NilBytes": {(*string)(nil), (*string)(nil)},
	} {
		if identity([]any{pair[0]}) != identity([]any{pair[1]}) || identity([]any{1, pair[0]}) != identity([]any{1, pair[1]}) {
			t.Errorf("%s: not the same", name)
		}
	}
	if identity([]any{"a", "b"}) == identity([]any{"ab", ""}) {
		t.Error("different keys are the same")
	}
}

func TestSnapshotValues(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	n := 7
	for name, c := range map[string]struct {
		a, b any
		same bool
	}{
		"Instants":      {at, at.In(time.FixedZone("x", 3600)), true},
		"Times":         {at, at.Add(1), false},
		"Pointer":       {&n, 7, true},
		"NilPointer":    {(*int)(nil), nil, true},
		"NilIsNotZero":  {(*int)(nil), 0, false},
		"Bytes":         {[]byte("a"), []byte("a"), true},
		"NilBytes":      {[]byte(nil), []byte{}, false},
		"Valuer":        {sql.NullInt64{Int64: 7, Valid: true}, sql.NullInt64{Int64: 7, Valid: true}, true},
		"InvalidValuer": {sql.NullInt64{Int64: 7}, nil, true},
		"Uncomparable":  {[]int{1}, []int{1}, false},
	} {
		if got := sameValue(plainValue(c.a), plainValue(c.b)); got != c.same {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
