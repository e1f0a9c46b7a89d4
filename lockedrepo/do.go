package lockedrepo

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Do takes all locks of the type, which are Keys and those of Options.Also, and calls fn
// with a context that holds them: what fn reads with that context nobody else changes until
// fn ends, and its calls are not locked again. It is locker.Do for code that reads, changes
// and saves by hand. The context ends when one of the locks is lost. Nothing is rolled
// back on an error of fn, unless ctx is that of a transaction of InTx: then the locks are
// kept until its end.
//
// The locks are given back when fn returns or panics. The error is fn's, ErrInvalid for a
// nil fn, one of those that a write has when it does not get its locks, with fn not called,
// or ErrRelease: fn has returned nil.
func (r *Repository[T]) Do(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	const doing = "do"
	m := r.whole.member
	switch state := m.txState(ctx); {
	case fn == nil:
		return fmt.Errorf("lockedrepo: %s: %w: nil function", doing, repo.ErrInvalid)
	case state == driver.TxForeign:
		return m.foreign(doing)
	case state == driver.TxJoined:
		scope, err := scopeFrom(ctx, doing)
		if err != nil {
			return err
		}
		return scope.run(ctx, doing, m.exclusion, fn)
	}
	if err := m.whole(ctx, doing); err != nil {
		return err
	}
	m.queues()
	h, err := acquire(ctx, doing, m.exclusion)
	if err != nil {
		return err
	}
	defer func() { err = join(err, release(ctx, h)) }()
	return underHold(ctx, h, fn)
}
