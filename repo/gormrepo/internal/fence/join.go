package fence

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

// Join shows those claims that a transaction which has begun long before has not shown
// yet: a lock can be taken while it is running. What is missing in the tables is made
// inside of it. After an error the transaction must be rolled back.
func (f *Fence) Join(ctx context.Context, tx gorm.ConnPool, from driver.Fence, shown *Shown) error {
	s, err := f.draw(ctx, tx, from, shown.Op() == "", true)
	if err != nil {
		return err
	}
	if s.claims = shown.missing(s.claims); len(s.claims) > 0 {
		if err := failed(s.claims, f.raiseInside(ctx, tx, s)); err != nil {
			return err
		}
		shown.add(s)
	}
	return f.confirmGuard(ctx, tx, shown, s)
}

// raiseInside shows claims one by one, so that one which has to be shown again
// is not taken for one that was accepted.
func (f *Fence) raiseInside(ctx context.Context, tx gorm.ConnPool, s *Showing) error {
	for _, c := range s.claims {
		one := *s
		one.claims, one.op = []repo.Claim{c}, ""
		if !driver.Guards(one.guard.key, c.Key) {
			one.guard = guardian{}
		}
		if err := f.raiseOne(ctx, tx, &one); err != nil {
			return err
		}
	}
	if s.op == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, f.tables().noteSQL(s.op))
	return err
}

func (f *Fence) raiseOne(ctx context.Context, tx gorm.ConnPool, s *Showing) error {
	for n := 1; ; n++ {
		refused, err := f.tryRaise(ctx, tx, s)
		if err != nil || !refused {
			return err
		}
		err = f.inspect(ctx, tx, s)
		again, ok := asAgain(err)
		if !ok {
			return err
		}
		if n == showAttempts {
			return again.FencedError
		}
		if err := f.createInside(ctx, tx, s.claims[0].Key, again.absent); err != nil {
			return err
		}
		if s.guard.key != "" {
			if s.guard, err = f.guarded(ctx, tx, s.keys, true); err != nil {
				return err
			}
			if !driver.Guards(s.guard.key, s.claims[0].Key) { // the guard has moved to another of the keys
				s.guard = guardian{}
			}
		}
	}
}

// createInside makes rows in a transaction that has shown the claim in vain, whose row
// that is not live must not stay.
func (f *Fence) createInside(ctx context.Context, tx gorm.ConnPool, shown string, absent []string) error {
	if f.dialect == sqltext.Postgres {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+f.name("fence")+" WHERE k = $1 AND live = 0", shown); err != nil {
			return err
		}
	}
	return f.tables().create(ctx, tx, absent)
}

// confirmGuard checks the guard in a transaction that had shown the key before
// the repository came to it. One look is enough: moving the guard takes the row
// of the key, which the transaction keeps to its end.
func (f *Fence) confirmGuard(ctx context.Context, tx gorm.ConnPool, shown *Shown, s *Showing) error {
	if s.guard.key == "" || shown.isGuarded(s.resource) {
		return nil
	}
	g, err := f.lookGuard(ctx, tx)
	if err == nil && !slices.Contains(s.keys, g.key) {
		err = f.wrongKey(g.key, s.keys...)
	}
	if err != nil {
		return failed(s.claims, err)
	}
	shown.sawGuard(s.resource)
	return nil
}
