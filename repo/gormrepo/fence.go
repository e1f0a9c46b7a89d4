package gormrepo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// FenceMode says that every transaction under a fence begins with its claims;
// see driver.Fencer.
func (r *Repository[T]) FenceMode() driver.FenceMode { return driver.FenceTx }

// fenceTable is the tables of a fence in one schema.
type fenceTable struct {
	dialect string
	// limit is how long a claim waits, and how long a transaction that showed
	// one may be idle. Zero is for ever.
	limit time.Duration
	// fixed is the schema where there is no state.
	fixed string
	// state is what a repository knows of its fence; nil for functions that are
	// given a schema.
	state *fenceState
}

// fenceState is what a repository has learnt of its fence.
type fenceState struct {
	// table is the table of the entities as GORM has it, and as GORM quotes it.
	table, quoted string
	// wanted is Options.FenceSchema.
	wanted string
	home   atomic.Pointer[fenceHome]
	guard  atomic.Pointer[guardian]
	// rows are the numbers of the rows that the keys have on PostgreSQL.
	rows  sync.Map
	prune pruner
	// single tells that the server takes no compound statements.
	single atomic.Bool
}

func (r *Repository[T]) newFence() fenceTable {
	stmt := &gorm.Statement{DB: r.db}
	return fenceTable{dialect: r.dialect.name, limit: max(0, r.opts.HoldLimit), state: &fenceState{
		table: r.schema.Table, quoted: stmt.Quote(r.schema.Table), wanted: r.opts.FenceSchema,
	}}
}

// showing is what one attempt at a transaction shows.
type showing struct {
	claims []repo.Claim
	// op names the transaction in holdfast_ops. It is empty when the transaction
	// writes nothing.
	op string
	// keys are those of which one guards the table; none when that is not
	// checked.
	keys []string
	// guard is the key that does, with the number that its row must have, and
	// resource the table.
	guard    guardian
	resource string
}

// maxFenceKey is the length of a key in characters: what an index of MySQL
// takes.
const maxFenceKey = 191

// draw takes the next attempt of a fence, after what it needs to be shown is
// known. pool is the connection of a transaction when that has begun.
func (r *Repository[T]) draw(ctx context.Context, pool gorm.ConnPool, f driver.Fence, writes, begun bool) (showing, error) {
	if err := r.locate(ctx, pool); err != nil {
		return showing{}, r.fence.failed(nil, err)
	}
	s := showing{claims: f.Claims()}
	for _, c := range s.claims {
		if err := checkFenceKey(c.Key); err != nil {
			return s, err
		}
	}
	s.keys, s.resource = guardKeys(f, s.claims), r.fence.resource()
	if writes {
		s.op = newOp(time.Now()) + r.fence.opSuffix()
	}
	var err error
	if s.guard, err = r.fence.guarded(ctx, pool, s.keys, begun); err != nil {
		return s, r.fence.failed(s.claims, err)
	}
	return s, nil
}

func checkFenceKey(key string) error {
	// MySQL takes keys for equal that differ by spaces at their end.
	if n := utf8.RuneCountInString(key); n == 0 || n > maxFenceKey || strings.HasSuffix(key, " ") || strings.ContainsRune(key, 0) {
		return fmt.Errorf("%w: %q is no key of a fence: 1 to %d characters, no space at the end", repo.ErrInvalid, key, maxFenceKey)
	}
	return nil
}

// againError says that a claim was refused and may be accepted now.
type againError struct {
	*repo.FencedError
	// absent are the keys that have no row yet.
	absent []string
}

// showAttempts bounds how often claims are drawn because of an againError.
const showAttempts = 6

// show runs a transaction that begins with the claims of the next attempt, again
// when they were refused for a reason that has gone.
func (r *Repository[T]) show(ctx context.Context, f driver.Fence, writes bool, run func(showing) error) error {
	if err := r.awaitConn(ctx); err != nil {
		return err
	}
	pool := unprepared(r.db.Statement.ConnPool)
	for n := 1; ; n++ {
		s, err := r.draw(ctx, pool, f, writes, false)
		if err != nil {
			return err
		}
		err = run(s)
		if again, ok := asAgain(err); ok {
			if n == showAttempts {
				return again.FencedError
			}
			// Outside of the transaction: inside, the gaps that InnoDB locks around
			// an absent key make deadlocks of first comers.
			if err := r.fence.create(ctx, pool, again.absent); err != nil {
				return r.fence.failed(s.claims, err)
			}
			continue
		}
		if err == nil && s.op != "" {
			r.tidy(ctx, pool)
		}
		return err
	}
}

// raise shows claims as the next statement of a transaction. It returns a
// *repo.FencedError when one is refused, or an error to show others; the
// transaction must be rolled back after every error. In a transaction that has
// begun long before, what is missing is made inside of it.
func (t fenceTable) raise(ctx context.Context, tx gorm.ConnPool, s showing, begun bool) error {
	if begun {
		return t.failed(s.claims, t.raiseInside(ctx, tx, s))
	}
	var refused bool
	var err error
	if c, ok := tx.(*conn); ok && t.dialect == mysql {
		refused, err = t.raiseTogether(ctx, c.session, s)
	} else {
		refused, err = t.tryRaise(ctx, tx, s)
	}
	if err == nil && refused {
		err = t.inspect(ctx, tx, s)
	}
	return t.failed(s.claims, err)
}

// raiseInside shows claims one by one, so that one which has to be shown again
// is not taken for one that was accepted.
func (t fenceTable) raiseInside(ctx context.Context, tx gorm.ConnPool, s showing) error {
	for _, c := range s.claims {
		one := s
		one.claims, one.op = []repo.Claim{c}, ""
		if one.guard.key != c.Key {
			one.guard = guardian{}
		}
		if err := t.raiseOne(ctx, tx, one); err != nil {
			return err
		}
	}
	if s.op == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, t.noteSQL(s.op))
	return err
}

func (t fenceTable) raiseOne(ctx context.Context, tx gorm.ConnPool, s showing) error {
	for n := 1; ; n++ {
		refused, err := t.tryRaise(ctx, tx, s)
		if err != nil || !refused {
			return err
		}
		err = t.inspect(ctx, tx, s)
		again, ok := asAgain(err)
		if !ok {
			return err
		}
		if n == showAttempts {
			return again.FencedError
		}
		if err := t.createInside(ctx, tx, s.claims[0].Key, again.absent); err != nil {
			return err
		}
		if s.guard.key != "" {
			if s.guard, err = t.guarded(ctx, tx, s.keys, true); err != nil {
				return err
			}
			if s.guard.key != s.claims[0].Key { // the guard has moved to another of the keys
				s.guard = guardian{}
			}
		}
	}
}

// raiseTogether is tryRaise at the beginning of a transaction of MySQL, where no other
// statement can come between.
func (t fenceTable) raiseTogether(ctx context.Context, on gorm.ConnPool, s showing) (refused bool, err error) {
	steps := lo.Map(s.claims, func(c repo.Claim, _ int) step { return step{text: t.mysqlRaise(s, c), changes: true} })
	if s.op != "" {
		steps = append(steps, step{text: t.noteSQL(s.op)})
	}
	err = t.together(ctx, on, steps...)
	if errors.As(err, &refusedError{}) {
		return true, nil
	}
	return false, err
}

func (t fenceTable) tryRaise(ctx context.Context, tx gorm.ConnPool, s showing) (refused bool, err error) {
	if t.dialect == mysql {
		for _, c := range s.claims {
			if n, err := affected(tx.ExecContext(ctx, t.mysqlRaise(s, c))); n == 0 || err != nil {
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

// moveEvery is after how many claims the row of a key gets another number on
// PostgreSQL, on average. Its versions are found by key and number: more of them
// take longer to look through while an old snapshot keeps them all, and another
// number makes the next claim of each other process take longer.
const moveEvery = 256

// move draws whether the rows of the next claims get another number.
func move() int64 {
	if rand.IntN(moveEvery) == 0 { //nolint:gosec // nobody gains by guessing it
		return 1
	}
	return 0
}

// row is the number under which a key's row is shown claims. It is a guess, and
// zero when there is none: a claim that meets no row of the key is refused.
func (t fenceTable) row(key string) int64 {
	if t.state != nil {
		if n, ok := t.state.rows.Load(key); ok {
			if n, ok := n.(int64); ok {
				return n
			}
		}
	}
	return 0
}

func (t fenceTable) setRow(key string, n int64) {
	if t.state != nil && t.dialect == postgres {
		t.state.rows.Store(key, n)
	}
}
