package lockedrepo

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

type unlockedKey struct{}

// ReadUnlocked returns a context for reads that no write is built on, such as
// the check that a customer exists. In InTx, and under a hold, a read takes the
// lock of its type and is part of what it protects; a read with this context
// takes none and shows no claim. It still belongs to the transaction of ctx,
// whose writes it sees. What it returns may be out of date at once: a save of
// it can overwrite what another process has saved. Writes with this context lock
// as ever, and InTx does not pass it on to its function.
func ReadUnlocked(ctx context.Context) context.Context {
	return context.WithValue(ctx, unlockedKey{}, true)
}

func readsUnlocked(ctx context.Context) bool {
	unlocked, _ := ctx.Value(unlockedKey{}).(bool)
	return unlocked
}

// readsLocked takes ReadUnlocked back.
func readsLocked(ctx context.Context) context.Context {
	if readsUnlocked(ctx) {
		return context.WithValue(ctx, unlockedKey{}, false)
	}
	return ctx
}

// reading runs a read. Under a context that holds the key, or in a transaction,
// it is part of what the lock protects, and is made like a write: what a stale
// holder reads must not let it overwrite what a newer one saves.
func (m *member) reading(ctx context.Context, doing string, work func(context.Context) error) error {
	if err := m.withOthers(ctx, doing); err != nil {
		return err
	}
	if !m.protects(ctx) {
		if readsUnlocked(ctx) {
			ctx = unfenced(ctx)
		}
		return work(m.waitBounded(ctx))
	}
	if err := m.covers(ctx, doing); err != nil {
		return err
	}
	return m.lockedAs(ctx, doing, joinRead, work)
}

// withOthers refuses a read under a hold that somebody took by hand, without the locks of
// Options.Also: pods that have these alone could change what a write is built on.
func (m *member) withOthers(ctx context.Context, doing string) error {
	if len(m.also) == 0 || readsUnlocked(ctx) || m.txState(ctx) != driver.TxNone || !m.holding(ctx) || hasOthers(carriedOthers(ctx), m.also) {
		return nil
	}
	return fmt.Errorf("lockedrepo: %s: %w: the context holds one of %q without the locks of Options.Also; "+
		"call Do of the repository, or read with ReadUnlocked", doing, repo.ErrInvalid, m.all)
}

// protects tells whether a read with ctx is part of what the lock protects.
func (m *member) protects(ctx context.Context) bool {
	switch state := m.txState(ctx); {
	case readsUnlocked(ctx):
		return false
	case state == driver.TxNone:
		return m.guards != nil && m.holding(ctx)
	default:
		return inScope(ctx) // in a transaction that is not ours nothing is protected
	}
}

// readValue is reading for work that returns something.
func readValue[V any](ctx context.Context, m *member, doing string, work func(context.Context) (V, error)) (V, error) {
	var v V
	err := m.reading(ctx, doing, func(ctx context.Context) (err error) {
		v, err = work(ctx)
		return err
	})
	if err != nil {
		var none V
		return none, err
	}
	return v, nil
}

// covers refuses a read that belongs to what stripes protect while some of them are not
// held. In a transaction those of ids are taken at their first use.
func (m *member) covers(ctx context.Context, doing string) error {
	if m.set == "" || m.held(ctx) || inScope(ctx) && len(m.keys) < len(m.all) {
		return nil
	}
	return fmt.Errorf("lockedrepo: %s: %w: of %q; name the repository or all ids in InTx, lock Keys or KeysOf, or read with ReadUnlocked",
		doing, ErrStripes, m.set)
}
