package lockedrepo

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// locked runs work while the lock is held:
//
//  1. A call under a transaction joins the transaction's locks, which are kept
//     until its end, or is refused.
//  2. Take the lock, then those of Options.Also, waiting no longer than the timeout.
//  3. Work with the hold's context, which ends when the lock is lost and when
//     the caller's context does, and with the claims that the store checks.
//  4. Give all back, whatever happened, on contexts of their own.
func (m *member) locked(ctx context.Context, doing string, work func(context.Context) error) error {
	m.queues()
	return m.lockedAs(ctx, doing, join, work)
}

// lockedAs is locked with a say in what the error of a release means next
// to that of the work.
func (m *member) lockedAs(ctx context.Context, doing string, join func(work, release error) error, work func(context.Context) error) (err error) {
	ctx = m.waitBounded(ctx)
	switch m.txState(ctx) {
	case driver.TxForeign:
		return m.foreign(doing)
	case driver.TxJoined:
		scope, err := scopeFrom(ctx, doing)
		if err != nil {
			return err
		}
		return scope.run(ctx, doing, m.exclusion, func(ctx context.Context) error { return work(scope.fence(ctx, m.guards)) })
	case driver.TxNone:
	}
	if err := m.whole(ctx, doing); err != nil {
		return err
	}
	h, err := acquire(ctx, doing, m.exclusion)
	if err != nil {
		return err
	}
	defer func() { err = join(err, release(ctx, h)) }()
	return m.fencedOff(ctx, doing, h, work)
}

func (m *member) foreign(doing string) error {
	return fmt.Errorf("lockedrepo: %s: %w: the lock on %q would be given back before the commit; "+
		"open the transaction with InTx of a locked repository on the same database", doing, repo.ErrInTx, m.keys)
}
