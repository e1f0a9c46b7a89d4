package fence

import (
	"context"
	"errors"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// Raise shows the claims as the first statement of a transaction. It returns a
// *repo.FencedError when one is refused, or an error that makes Show draw others; the
// transaction must be rolled back after every error.
func (f *Fence) Raise(ctx context.Context, tx *txconn.Conn, s *Showing) error {
	var refused bool
	var err error
	if f.dialect == sqltext.MySQL {
		refused, err = f.raiseTogether(ctx, tx, s)
	} else {
		refused, err = f.tryRaise(ctx, tx, s)
	}
	if err == nil && refused {
		err = f.inspect(ctx, tx, s)
	}
	return failed(s.claims, err)
}

// raiseTogether is tryRaise at the beginning of a transaction of MySQL, where no other
// statement can come between.
func (f *Fence) raiseTogether(ctx context.Context, tx *txconn.Conn, s *Showing) (refused bool, err error) {
	err = tx.Together(ctx, f.mysqlSteps(s)...)
	if errors.Is(err, txconn.ErrUnchanged) {
		return true, nil
	}
	return false, err
}

// mysqlSteps show the claims, and note the operation.
func (f *Fence) mysqlSteps(s *Showing) []txconn.Step {
	steps := lo.Map(s.claims, func(c repo.Claim, _ int) txconn.Step {
		return txconn.Step{Text: f.mysqlRaise(s, c), Changes: true}
	})
	if s.op != "" {
		steps = append(steps, txconn.Step{Text: f.tables().noteSQL(s.op)})
	}
	return steps
}

func (f *Fence) tryRaise(ctx context.Context, tx gorm.ConnPool, s *Showing) (refused bool, err error) {
	if f.dialect == sqltext.MySQL {
		for _, c := range s.claims {
			if n, err := dberr.Affected(tx.ExecContext(ctx, f.mysqlRaise(s, c))); n == 0 || err != nil {
				return true, err
			}
		}
	} else {
		text, args := f.raiseSQL(s)
		if n, err := dberr.Affected(tx.ExecContext(ctx, text, args...)); n < int64(len(s.claims)) || err != nil {
			return true, err
		}
	}
	if s.op != "" && f.dialect != sqltext.Postgres { // there it is in the same statement
		_, err = tx.ExecContext(ctx, f.tables().noteSQL(s.op))
	}
	return false, err
}
