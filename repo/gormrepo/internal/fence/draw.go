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
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
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
	if err := f.makeStripes(ctx, pool, s.claims, begun); err != nil {
		return nil, failed(s.claims, err)
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

// makeStripes makes rows of stripes on SQLite, where a claim that finds no row is
// accepted: a new row has to know how often the guard was moved. What is made in a
// transaction may be rolled back, and is not remembered.
func (f *Fence) makeStripes(ctx context.Context, pool gorm.ConnPool, claims []repo.Claim, begun bool) error {
	if f.dialect != sqltext.SQLite {
		return nil
	}
	for _, c := range claims {
		if _, made := f.rows.Load(c.Key); made || driver.SetOf(c.Key) == "" {
			continue
		}
		if err := f.tables().create(ctx, pool, []string{c.Key}); err != nil {
			return err
		}
		if !begun {
			f.rows.Store(c.Key, int64(0))
		}
	}
	return nil
}
