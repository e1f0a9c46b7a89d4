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
	s.keys, s.resource = driver.GuardKeys(from, s.claims), f.resource()
	if writes {
		s.op = f.tables().newOp(time.Now())
	}
	var err error
	if s.guard, err = f.guarded(ctx, pool, s.keys, begun); err != nil {
		return nil, failed(s.claims, err)
	}
	return s, nil
}
