package repo

import (
	"fmt"

	"github.com/holdfast-go/holdfast/repo/internal/query"
)

// Option narrows, orders or limits what Find and Count see. The options of this package
// are all there are. Several conditions hold together; see And, Or and Not for others.
type Option = query.Option

// Limit returns at most n entities. n must be positive.
func Limit(n int) Option {
	return query.Func(func(q *query.Query) {
		if n <= 0 {
			q.Bad = append(q.Bad, fmt.Errorf("%w: limit %d", ErrInvalid, n))
		}
		q.Limit = n
	})
}

// Offset skips the first n entities. n must not be negative.
func Offset(n int) Option {
	return query.Func(func(q *query.Query) {
		if n < 0 {
			q.Bad = append(q.Bad, fmt.Errorf("%w: offset %d", ErrInvalid, n))
		}
		q.Offset = n
	})
}

// Native passes a condition in the store's own language: a
// func(*gorm.DB) *gorm.DB on SQL, a bson.D or bson.M filter on MongoDB, a
// func(*T) bool in memory. A value that the store does not know is
// ErrUnsupported, never ignored.
func Native(v any) Option {
	return query.Func(func(q *query.Query) { q.Native = append(q.Native, v) })
}
