package gormrepo

import (
	"context"
	"strings"

	"github.com/samber/lo"
	"gorm.io/gorm"
)

// step is one of several statements of MySQL.
type step struct {
	text string
	// changes tells that it has to change a row, or be refused.
	changes bool
}

// refusal is the message of a step that changes no row, and its error.
const (
	refusal    = "holdfast: no row was changed"
	refusalSQL = "; IF ROW_COUNT() = 0 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '" + refusal + "'; END IF"
)

type refusedError struct{}

func (refusedError) Error() string { return refusal }

// together runs steps one after the other, up to the first that fails: in one round
// trip where the server takes a compound statement, as MariaDB does. MySQL and TiDB
// say that it is a syntax error, so nothing has run; they get the steps one by one
// from then on. The error is a refusedError when a step changed no row and had to.
func (t fenceTable) together(ctx context.Context, on gorm.ConnPool, steps ...step) error {
	if t.state == nil || t.state.single.Load() {
		return oneByOne(ctx, on, steps)
	}
	var b strings.Builder
	b.WriteString("BEGIN NOT ATOMIC ")
	for _, s := range steps {
		b.WriteString(s.text)
		if s.changes {
			b.WriteString(refusalSQL)
		}
		b.WriteString("; ")
	}
	b.WriteString("END")
	_, err := on.ExecContext(ctx, b.String())
	switch {
	case lo.Contains([]uint64{1064, 8108}, mysqlNumber(err)): // MySQL's and TiDB's
		if err := oneByOne(ctx, on, steps); err != nil {
			return err
		}
		t.state.single.Store(true)
		return nil
	case mysqlNumber(err) == 1644 && strings.Contains(err.Error(), refusal):
		return refusedError{}
	default:
		return err
	}
}

func oneByOne(ctx context.Context, on gorm.ConnPool, steps []step) error {
	for _, s := range steps {
		n, err := affected(on.ExecContext(ctx, s.text))
		if err != nil {
			return err
		}
		if s.changes && n == 0 {
			return refusedError{}
		}
	}
	return nil
}
