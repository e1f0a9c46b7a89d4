package fence

import (
	"context"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// inspect says why claims were refused.
func (f *Fence) inspect(ctx context.Context, pool gorm.ConnPool, s *Showing) error {
	if _, err := f.moved(ctx, pool); err != nil {
		return err
	}
	t := f.tables()
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
		err := pool.QueryRowContext(ctx, t.storedSQL(), c.Key).Scan(&stored.Token, &stored.Owner, &stored.Sub, &gen, &n)
		switch {
		case err != nil && !dberr.IsNoRows(err):
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
		if driver.Guards(s.guard.key, c.Key) && gen != s.guard.gen {
			f.guard.Store(nil)
		}
		f.setRow(c.Key, n)
	}
	if again != nil {
		return again
	}
	return same
}
