package gormrepo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
)

func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func asAgain(err error) (*againError, bool) { return errors.AsType[*againError](err) }

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// inspect says why claims were refused.
func (t fenceTable) inspect(ctx context.Context, pool gorm.ConnPool, s showing) error {
	if t.state != nil {
		if _, err := t.moved(ctx, pool); err != nil {
			return err
		}
	}
	var epoch int64
	if err := pool.QueryRowContext(ctx, t.epochSQL()).Scan(&epoch); err != nil {
		return err
	}
	var same error // a claim that is stored: shown before, or accepted in this very transaction
	var again *againError
	for _, c := range s.claims {
		refused := &repo.FencedError{Stored: repo.Claim{Key: c.Key}, Presented: c}
		refused.Presented.Token |= epoch << epochBits
		stored := &refused.Stored
		var n, gen int64
		err := pool.QueryRowContext(ctx, t.bind(t.storedSQL()), c.Key).Scan(&stored.Token, &stored.Owner, &stored.Sub, &gen, &n)
		switch {
		case err != nil && !isNoRows(err):
			return err
		case err == nil && refused.Stored == refused.Presented:
			same = refused
			continue
		case err == nil && !refused.Presented.Succeeds(refused.Stored):
			return refused
		}
		// It would be accepted now.
		if again == nil {
			again = &againError{FencedError: refused}
		}
		if err != nil {
			again.absent = append(again.absent, c.Key)
			continue
		}
		if c.Key == s.guard.key && gen != s.guard.gen {
			t.state.guard.Store(nil)
		}
		t.setRow(c.Key, n)
	}
	if again != nil {
		return again
	}
	return same
}

// failed gives an error of a statement of the fence the sentinel that the caller
// decides by.
func (t fenceTable) failed(claims []repo.Claim, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, repo.ErrUnsupported):
		return err
	case isMissingFence(err), isNullToken(err): // there is no epoch
		return missingFence(err)
	case isLockTimeout(err):
		keys := make([]string, len(claims))
		for i, c := range claims {
			keys[i] = fmt.Sprintf("%q", c.Key)
		}
		return fmt.Errorf("%w: the fence of %s: %w", repo.ErrBusy, strings.Join(keys, ", "), err)
	default:
		return err
	}
}

// errNoFence is why tables are said to be missing that nobody asked for.
var errNoFence = errors.New("there are none")

// missingFence is the error of a database without the tables, or with empty
// ones.
func missingFence(err error) error {
	return fmt.Errorf("%w: the tables of the fence are missing: run gormrepo.MigrateFence, or what gormrepo.FenceDDL returns: %w", repo.ErrUnsupported, err)
}
