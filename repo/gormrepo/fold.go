package gormrepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/fence"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// folds tells whether items are saved by one INSERT of PostgreSQL or MariaDB that neither
// looks for a row nor makes a key: when the answer is lost, a key that the
// database gave could not be told. An entity with a version is overwritten by an UPDATE.
func (r *store) folds(items []*item) bool {
	if r.dialect.name != postgres && !r.foldsOnMariaDB(items) || r.hasHooks() || r.opts.Associations || r.opts.Revive || len(items) > r.rowsPerStatement(r.columns) {
		return false
	}
	ctx := context.Background()
	isNew, left, defaulted := items[0].isNew, r.left(ctx, items[0].val, items[0].isNew), r.defaulted(ctx, items[0])
	if isNew && (len(left) > 0 || len(items[0].explicit()) > 0) {
		return false
	}
	if !isNew && r.version != nil {
		return len(items) == 1 && !items[0].strict && !r.plugged && (r.dialect.returning || len(r.created)+len(left) == 0)
	}
	for _, it := range items[1:] {
		if it.isNew != isNew || !slices.Equal(r.left(ctx, it.val, isNew), left) ||
			isNew && len(it.explicit()) > 0 || !isNew && !slices.Equal(r.defaulted(ctx, it), defaulted) {
			return false
		}
	}
	return true
}

// writeFolded runs fn, which saves items by one INSERT and does nothing else, in
// one statement with the claims of f. When the statement fails because of what
// is in a row, it is done again in a transaction, which finds out which row; unless the
// caller, who is unsure whether the rows are there, does so.
func (r *store) writeFolded(ctx context.Context, f driver.Fence, items []*item, unsure bool, fn func(*call) error) error {
	err := r.awaitConn(ctx)
	if err == nil && r.dialect.name == mysql {
		if err = r.lookAtTable(ctx); err == nil && r.careful.Load() {
			return r.write(ctx, fn)
		}
	}
	whole := false
	if err == nil {
		err = r.repeat(ctx, func(c *call) error {
			defer func() { whole = c.whole }()
			return r.fence.Show(ctx, f, true, func(s *fence.Showing) error { return r.fold(ctx, s, c, items, fn) })
		})
	}
	if r.notOnMariaDB(err) {
		return r.write(ctx, fn)
	}
	blames := !unsure && !whole && dberr.BlamesRow(err, r.db.Dialector)
	if blames && len(items) > 1 {
		if it, tried := r.trySuspect(ctx, f, items, err, fn); tried != nil {
			return r.itemError(it, tried)
		}
	}
	if len(items) > 1 && (blames || errors.Is(err, repo.ErrTooMany)) || fence.LeftRows(err) {
		return r.write(ctx, fn)
	}
	return err
}

// trySuspect runs fn for the item that an error seems to be about, by a statement of which
// nothing stays: it expects more rows than it writes. It returns how the item was refused,
// or nil.
func (r *store) trySuspect(ctx context.Context, f driver.Fence, items []*item, err error, fn func(*call) error) (*item, error) {
	it := r.suspect(err, items)
	if it == nil {
		return nil, nil
	}
	err = r.fence.Show(ctx, f, true, func(s *fence.Showing) error {
		return r.foldBehind(ctx, s, &call{only: it}, []*item{it}, r.fence.Behind(s, 2), fn)
	})
	if !dberr.BlamesRow(err, r.db.Dialector) || fence.LeftRows(err) {
		return nil, nil
	}
	return it, err
}

func (r *store) fold(ctx context.Context, s *fence.Showing, c *call, items []*item, fn func(*call) error) error {
	return r.foldBehind(ctx, s, c, items, r.behind(s, items), fn)
}

func (r *store) foldBehind(ctx context.Context, s *fence.Showing, c *call, items []*item, behind *fence.Behind, fn func(*call) error) error {
	on, err := txconn.NewSingle(ctx, r.plainPool(), r.fence.BehindBegins(), r.dialect.params)
	if err != nil {
		return err
	}
	c.tx, c.once, c.behind = r.session(ctx, on), true, behind
	failed := true
	err = func() error {
		defer func() { on.Close(ctx, failed) }()
		err := r.checkPlugins(c.tx, on)
		if err == nil {
			err = fn(c)
		}
		failed = err != nil
		return err
	}()
	if err == nil && !on.Ran() {
		err = errElsewhere(c.tx)
	}
	if err == nil {
		return nil
	}
	cause := cmp.Or(on.Err(), single(err))
	if errors.Is(cause, repo.ErrTooMany) { // it was not sent
		return cause
	}
	if about := r.fence.Explain(ctx, s, cause); about != nil {
		return about
	}
	// What ends a transaction on MySQL may be the error of its commit.
	if !on.Ran() || dberr.IsAnswer(cause) && !dberr.MayEndTx(cause, r.dialect.name) {
		return err
	}
	return r.settleFold(ctx, s.Op(), c, items, cause)
}

// behind puts a statement that saves the items behind the claims.
func (r *store) behind(s *fence.Showing, items []*item) *fence.Behind {
	if r.version != nil && !items[0].isNew {
		return r.fence.BehindUpdate(s, len(items))
	}
	return r.fence.Behind(s, len(items))
}

// settleFold finds out whether a statement was committed whose answer is missing, and
// then reads what it would have returned.
func (r *store) settleFold(ctx context.Context, op string, c *call, items []*item, cause error) error {
	// Also when the driver says that nothing was sent: pgx says so of a lost answer
	// in its simple protocol.
	if err := r.fence.Settle(ctx, op, cause); err != nil {
		if dberr.IsUnsent(cause) && !errors.Is(err, repo.ErrUnknown) {
			err = &resendError{err}
		}
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fence.SettleSlack)
	defer cancel()
	c.tx = r.session(ctx, r.plainPool())
	back := slices.Concat(r.created, r.left(ctx, items[0].val, items[0].isNew), r.defaulted(ctx, items[0]))
	if err := r.readBack(c, items, back); err != nil {
		return &repo.UnknownError{Op: op, Err: fmt.Errorf("it was written, but not read back: %w", err)}
	}
	return nil
}
