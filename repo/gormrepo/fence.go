package gormrepo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
)

// FenceMode says that every transaction under a fence begins with its claims;
// see repo.Fencer.
func (r *Repository[T]) FenceMode() repo.FenceMode { return repo.FenceTx }

// fenceTable is the table of claims in one database.
type fenceTable struct {
	dialect string
	// limit is how long a claim waits, and how long a transaction that showed
	// one may be idle. Zero is for ever.
	limit time.Duration
}

// showing is what one attempt at a transaction shows.
type showing struct {
	claims []repo.Claim
	// op names the transaction in holdfast_ops. It is empty when the transaction
	// writes nothing.
	op string
}

// maxFenceKey is the length of a key in characters: what an index of MySQL
// takes.
const maxFenceKey = 191

// draw takes the next attempt of a fence.
func draw(f repo.Fence, writes bool) (showing, error) {
	s := showing{claims: f.Claims()}
	for _, c := range s.claims {
		// MySQL takes keys for equal that differ by spaces at their end.
		if n := utf8.RuneCountInString(c.Key); n == 0 || n > maxFenceKey || strings.HasSuffix(c.Key, " ") || strings.ContainsRune(c.Key, 0) {
			return s, fmt.Errorf("%w: %q is no key of a fence: 1 to %d characters, no space at the end", repo.ErrInvalid, c.Key, maxFenceKey)
		}
	}
	if writes {
		s.op = newOp(time.Now())
	}
	return s, nil
}

// againError says that a claim was refused and would be accepted now.
type againError struct {
	*repo.FencedError
	// absent tells that the key has no row yet, which MySQL needs.
	absent bool
}

// showAttempts bounds how often claims are drawn because of an againError.
const showAttempts = 4

// show runs a transaction that begins with the claims of the next attempt, again
// when they were refused for a reason that has gone.
func (r *Repository[T]) show(ctx context.Context, f repo.Fence, writes bool, run func(showing) error) error {
	for n := 1; ; n++ {
		s, err := draw(f, writes)
		if err != nil {
			return err
		}
		err = run(s)
		again, ok := errors.AsType[*againError](err)
		switch {
		case !ok:
			return err
		case n == showAttempts:
			return again.FencedError
		case again.absent:
			// Outside of the transaction: inside, the gaps that InnoDB locks around
			// an absent key make deadlocks of first comers.
			if err := r.fence.create(ctx, unprepared(r.db.Statement.ConnPool), again.Presented.Key); err != nil {
				return r.fence.failed(s.claims, err)
			}
		}
	}
}

// raise shows claims as the next statement of a transaction. It returns a
// *repo.FencedError when one is refused; the transaction must be rolled back
// after every error. In a transaction that has begun long before, an absent row
// is made inside of it.
func (t fenceTable) raise(ctx context.Context, tx gorm.ConnPool, s showing, begun bool) error {
	for n := 1; ; n++ {
		refused, err := t.tryRaise(ctx, tx, s)
		if err == nil && refused {
			err = t.inspect(ctx, tx, s.claims)
		}
		again, ok := errors.AsType[*againError](err)
		switch {
		case err == nil:
			return nil
		case !ok:
			return t.failed(s.claims, err)
		case n == showAttempts:
			return again.FencedError
		case again.absent && !begun:
			return err
		case again.absent:
			if err := t.create(ctx, tx, again.Presented.Key); err != nil {
				return t.failed(s.claims, err)
			}
		}
	}
}

func (t fenceTable) tryRaise(ctx context.Context, tx gorm.ConnPool, s showing) (refused bool, err error) {
	if t.dialect == mysql {
		for _, c := range s.claims {
			if n, err := affected(tx.ExecContext(ctx, mysqlRaise(c))); n == 0 || err != nil {
				return true, err
			}
		}
	} else {
		text, args := t.raiseSQL(s)
		if n, err := affected(tx.ExecContext(ctx, text, args...)); n < int64(len(s.claims)) || err != nil {
			return true, err
		}
	}
	if s.op != "" && t.dialect != postgres { // there it is in the same statement
		_, err = tx.ExecContext(ctx, t.noteSQL(s.op))
	}
	return false, err
}

func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// inspect says why claims were refused.
func (t fenceTable) inspect(ctx context.Context, pool gorm.ConnPool, claims []repo.Claim) error {
	var epoch int64
	if err := pool.QueryRowContext(ctx, epochSQL).Scan(&epoch); err != nil {
		return err
	}
	var same error
	for _, c := range claims {
		refused := &repo.FencedError{Stored: repo.Claim{Key: c.Key}, Presented: c}
		refused.Presented.Token |= epoch << epochBits
		stored := &refused.Stored
		err := pool.QueryRowContext(ctx, t.bind(storedSQL), c.Key).Scan(&stored.Token, &stored.Owner, &stored.Sub)
		if errors.Is(err, sql.ErrNoRows) {
			return &againError{refused, true}
		}
		if err != nil {
			return err
		}
		switch {
		case accepts(refused.Stored, refused.Presented):
		case refused.Stored != refused.Presented:
			return refused
		case same == nil:
			same = refused // or it was accepted in this very transaction
		}
	}
	if same != nil {
		return same
	}
	// The epoch was advanced while a claim waited with the old one.
	return &againError{&repo.FencedError{Presented: claims[0]}, false}
}

// accepts is the rule that the statements have too.
func accepts(stored, c repo.Claim) bool {
	return stored.Token < c.Token || stored.Token == c.Token && stored.Owner == c.Owner && stored.Sub < c.Sub
}

// failed gives an error of a statement that showed claims the sentinel that the
// caller decides by.
func (t fenceTable) failed(claims []repo.Claim, err error) error {
	switch {
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

// missingFence is the error of a database without the tables, or with empty
// ones.
func missingFence(err error) error {
	return fmt.Errorf("%w: the tables of the fence are missing: run gormrepo.MigrateFence, or what gormrepo.FenceDDL returns: %w", repo.ErrUnsupported, err)
}
