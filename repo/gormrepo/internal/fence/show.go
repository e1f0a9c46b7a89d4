package fence

import (
	"context"

	"github.com/holdfast-go/holdfast/repo/driver"
)

// Show runs an attempt at a transaction that begins with the claims, and draws them
// again when they were refused for a reason that has gone. writes tells that the
// operation has to be noted.
func (f *Fence) Show(ctx context.Context, from driver.Fence, writes bool, run func(*Showing) error) error {
	pool := f.pool()
	for n := 1; ; n++ {
		s, err := f.draw(ctx, pool, from, writes, false)
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
			if err := f.tables().create(ctx, pool, again.absent); err != nil {
				return failed(s.claims, err)
			}
			continue
		}
		if err == nil && s.op != "" {
			f.tidy(ctx, pool)
		}
		return err
	}
}

// showAttempts bounds how often claims are drawn because of an againError.
const showAttempts = 6
