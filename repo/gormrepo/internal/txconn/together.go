package txconn

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// Step is one of several statements.
type Step struct {
	Text string
	// Changes tells that it has to change a row, or be refused.
	Changes bool
}

// refusal is the message of a step that changes no row, and its error.
const refusal = "holdfast: no row was changed"

// ErrUnchanged says that a step changed no row and had to.
var ErrUnchanged = errors.New(refusal)

// Server is what is known of a server of MySQL or MariaDB.
type Server struct {
	// single tells that it takes no compound statements, and compound that it does.
	single, compound atomic.Bool
}

// Compound tells whether the server is known to take compound statements.
func (s *Server) Compound() bool { return s.compound.Load() }

// together runs steps one after the other, up to the first that fails: in one round
// trip where the server takes a compound statement, as MariaDB does. MySQL and TiDB
// say that it is a syntax error, so nothing has run; they get the steps one by one
// from then on. The error is ErrUnchanged when a step changed no row and had to.
func (s *Server) together(ctx context.Context, on gorm.ConnPool, steps ...Step) error {
	if s.single.Load() {
		return oneByOne(ctx, on, steps)
	}
	_, err := on.ExecContext(ctx, compoundBegins+joined(steps)+"END")
	switch {
	case err == nil:
		s.compound.Store(true)
		return nil
	case lo.Contains([]uint64{1064, 8108}, dberr.MySQL(err)): // MySQL's and TiDB's
		if err := oneByOne(ctx, on, steps); err != nil {
			return err
		}
		s.single.Store(true)
		return nil
	case IsUnchanged(err):
		return ErrUnchanged
	default:
		return err
	}
}

// compoundBegins is how a compound statement begins.
const compoundBegins = "BEGIN NOT ATOMIC "

// joined are the steps within a compound statement.
func joined(steps []Step) string {
	var b strings.Builder
	for _, step := range steps {
		b.WriteString(step.Text)
		if step.Changes {
			b.WriteString("; " + Signal("ROW_COUNT() = 0", refusal).Text)
		}
		b.WriteString("; ")
	}
	return b.String()
}

// IsUnchanged tells whether a compound statement was refused by a step that changed no
// row and had to.
func IsUnchanged(err error) bool { return Signals(err, refusal) }

// Signals tells whether err is what a compound statement signalled with a text.
func Signals(err error, text string) bool {
	return dberr.MySQL(err) == 1644 && strings.Contains(err.Error(), text)
}

// Signal is the step that refuses with a text when a condition holds.
func Signal(cond, text string) Step {
	return Step{Text: "IF " + cond + " THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '" + text + "'; END IF"}
}

func oneByOne(ctx context.Context, on gorm.ConnPool, steps []Step) error {
	for _, s := range steps {
		n, err := dberr.Affected(on.ExecContext(ctx, s.Text))
		if err != nil {
			return err
		}
		if s.Changes && n == 0 {
			return ErrUnchanged
		}
	}
	return nil
}
