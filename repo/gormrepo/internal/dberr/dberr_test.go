package dberr_test

import (
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/utils/tests"

	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
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
			if got := dberr.IsDuplicate(c.err, innermost{own: own}); got != c.want {
				t.Fatalf("got %v", got)
			}
		})
	}
}
