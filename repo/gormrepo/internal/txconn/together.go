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
const (
	refusal    = "holdfast: no row was changed"
	refusalSQL = "; IF ROW_COUNT() = 0 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '" + refusal + "'; END IF"
)

// ErrUnchanged says that a step changed no row and had to.
var ErrUnchanged = errors.New(refusal)

// Server is what is known of a server of MySQL or MariaDB.
type Server struct {
	// single tells that it takes no compound statements.
	single atomic.Bool
}

// together runs steps one after the other, up to the first that fails: in one round
// trip where the server takes a compound statement, as MariaDB does. MySQL and TiDB
// say that it is a syntax error, so nothing has run; they get the steps one by one
// from then on. The error is ErrUnchanged when a step changed no row and had to.
func (s *Server) together(ctx context.Context, on gorm.ConnPool, steps ...Step) error {
	if s.single.Load() {
		return oneByOne(ctx, on, steps)
	}
	var b strings.Builder
	b.WriteString("BEGIN NOT ATOMIC ")
	for _, step := range steps {
		b.WriteString(step.Text)
		if step.Changes {
			b.WriteString(refusalSQL)
		}
		b.WriteString("; ")
	}
	b.WriteString("END")
	_, err := on.ExecContext(ctx, b.String())
	switch {
	case lo.Contains([]uint64{1064, 8108}, dberr.MySQL(err)): // MySQL's and TiDB's
		if err := oneByOne(ctx, on, steps); err != nil {
			return err
		}
		s.single.Store(true)
		return nil
	case dberr.MySQL(err) == 1644 && strings.Contains(err.Error(), refusal):
		return ErrUnchanged
	default:
		return err
	}
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
