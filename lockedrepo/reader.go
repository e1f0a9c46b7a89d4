package lockedrepo

import (
	"context"
	"fmt"
	"iter"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// reader is what the wrapped repository reads with, or ErrUnsupported.
func (r *Repository[T]) reader(doing string) (driver.Reader[T], error) {
	reader, ok := repo.As[driver.Reader[T]](r.inner)
	if !ok {
		return nil, fmt.Errorf("lockedrepo: %s: %w: %T cannot do it", doing, repo.ErrUnsupported, r.inner)
	}
	return reader, nil
}

// KeyFields names the fields of the key; see driver.Reader. It takes no lock.
func (r *Repository[T]) KeyFields() []string {
	if reader, err := r.reader("key fields"); err == nil {
		return reader.KeyFields()
	}
	return nil
}

// Stream yields the entities that Find would return; see repo.Stream. Outside of
// transactions and holds it takes no lock, and what it yields may be out of date. Where
// Find locks it does what Find does, and yields what it found.
func (r *Repository[T]) Stream(ctx context.Context, q ...repo.Option) iter.Seq2[*T, error] {
	reader, err := r.reader("stream")
	if err == nil {
		err = r.whole.withOthers(ctx, "stream")
	}
	switch {
	case err != nil:
		return driver.Yield(func() ([]*T, error) { return nil, err })
	case r.whole.txState(ctx) != driver.TxNone || r.whole.protects(ctx):
		return driver.Yield(func() ([]*T, error) { return r.Find(ctx, q...) })
	}
	if readsUnlocked(ctx) {
		ctx = unfenced(ctx)
	}
	return reader.Stream(r.whole.waitBounded(ctx), q...)
}

// Aggregate locks under the same conditions as Find; see driver.Reader.
func (r *Repository[T]) Aggregate(ctx context.Context, a driver.Aggregation) ([][]any, error) {
	reader, err := r.reader("aggregate")
	if err != nil {
		return nil, err
	}
	return readValue(ctx, r.whole.member, "aggregate", func(ctx context.Context) ([][]any, error) { return reader.Aggregate(ctx, a) })
}
