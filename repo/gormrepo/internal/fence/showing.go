package fence

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Showing is what one attempt at a transaction shows.
type Showing struct {
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

// Op names the operation; it is empty when the transaction writes nothing.
func (s *Showing) Op() string { return s.op }

// maxKey is the length of a key in characters: what an index of MySQL takes.
const maxKey = 191

func checkKey(key string) error {
	// MySQL takes keys for equal that differ by spaces at their end.
	if n := utf8.RuneCountInString(key); n == 0 || n > maxKey || strings.HasSuffix(key, " ") || strings.ContainsRune(key, 0) {
		return fmt.Errorf("%w: %q is no key of a fence: 1 to %d characters, no space at the end", repo.ErrInvalid, key, maxKey)
	}
	return nil
}

// draw takes the next attempt of the claims, after what it needs to be shown is
// known. pool is the connection of a transaction when that has begun.
func (f *Fence) draw(ctx context.Context, pool gorm.ConnPool, from driver.Fence, writes, begun bool) (*Showing, error) {
	if err := f.locate(ctx, pool); err != nil {
		return nil, failed(nil, err)
	}
	s := &Showing{claims: from.Claims()}
	for _, c := range s.claims {
		if err := checkKey(c.Key); err != nil {
			return nil, err
		}
	}
	s.keys, s.resource = guardKeys(from, s.claims), f.resource()
	if writes {
		s.op = f.tables().newOp(time.Now())
	}
	var err error
	if s.guard, err = f.guarded(ctx, pool, s.keys, begun); err != nil {
		return nil, failed(s.claims, err)
	}
	return s, nil
}

// showAttempts bounds how often claims are drawn because of an againError.
const showAttempts = 6

// Show runs an attempt at a transaction that begins with the claims, and draws them
// again when they were refused for a reason that has gone. writes tells that the
// operation is to be noted.
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
