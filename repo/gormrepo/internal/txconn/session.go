package txconn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

// sqlSession is a transaction of database/sql.
type sqlSession struct {
	gorm.ConnPool
	tx      gorm.TxCommitter
	ctx     context.Context //nolint:containedctx // Commit has no argument for it
	dialect string
}

// New is the connection of a transaction that database/sql has begun with ctx.
func New(ctx context.Context, begun gorm.ConnPool, dialect string) (*Conn, error) {
	tx, ok := begun.(gorm.TxCommitter)
	if !ok {
		return nil, fmt.Errorf("%w: transactions on a %T", repo.ErrUnsupported, begun)
	}
	return &Conn{session: &sqlSession{ConnPool: begun, tx: tx, ctx: ctx, dialect: dialect}, dialect: dialect}, nil
}

// commit commits. PostgreSQL refuses by itself where a statement had failed; the
// others are asked whether the operation is still there.
func (s *sqlSession) commit(written string) error {
	if written != "" && s.dialect != sqltext.Postgres {
		var ours bool
		err := s.QueryRowContext(s.ctx, written).Scan(&ours)
		if errors.Is(err, sql.ErrNoRows) {
			return errRolledBack()
		}
		if err != nil {
			return fmt.Errorf("%w: before the commit: %w", repo.ErrRolledBack, err)
		}
	}
	return s.tx.Commit()
}

func (s *sqlSession) together(ctx context.Context, steps ...Step) error {
	return oneByOne(ctx, s, steps)
}

func (s *sqlSession) rollback() error { return s.tx.Rollback() }

// errRolledBack is the error of a commit that finds nothing to commit.
func errRolledBack() error {
	return fmt.Errorf("%w: the database had rolled it back by itself", repo.ErrRolledBack)
}
