package fence

import (
	"context"
	"errors"
	"fmt"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
)

// Noted is the query for the note of an operation. It is empty for none.
func (f *Fence) Noted(op string) string {
	if op == "" {
		return ""
	}
	there, id := f.tables().opIn(op)
	return "SELECT written FROM " + there.name("ops") + " WHERE op = '" + id + "'"
}

// Settle finds out whether an operation was written whose answer is err. It
// returns nil when it was, err when it was not, and a *repo.UnknownError when
// that cannot be known now. It goes on after ctx has ended: that may be why the
// answer is missing.
func (f *Fence) Settle(ctx context.Context, op string, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lo.CoalesceOrEmpty(f.Limit, longest)+SettleSlack)
	defer cancel()
	for n := 1; ; n++ {
		written, asking := f.tables().outcome(ctx, f.pool(), op)
		unknown, ok := errors.AsType[*repo.UnknownError](asking)
		switch {
		case asking == nil && written:
			return nil
		case asking == nil:
			return fmt.Errorf("not written: %w", err)
		case n == attempts || ctx.Err() != nil || !ok:
			if !ok {
				unknown = &repo.UnknownError{Op: op, Err: asking}
			}
			unknown.Err = fmt.Errorf("%w; the answer was lost by: %w", unknown.Err, err)
			return unknown
		}
	}
}
