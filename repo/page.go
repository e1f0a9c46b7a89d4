package repo

import (
	"context"
	"fmt"
	"math"
)

// MaxPageSize is the largest size of a page and of a window.
const MaxPageSize = 10_000

// PageRequest asks for a page.
type PageRequest struct {
	// Number counts from 0. Size is from 1 to MaxPageSize.
	Number, Size int
	// Total asks for the number of all entities too, which costs a Count.
	Total bool
}

// Page is a part of what Find would return.
type Page[T any] struct {
	// Items are the entities of the page. It is empty, and not nil, behind the last one.
	Items []*T `json:"items"`
	// Number and Size are those asked for.
	Number int `json:"number"`
	Size   int `json:"size"`
	// HasNext tells whether there is an entity behind the page.
	HasNext bool `json:"hasNext"`
	// Total is the number of all entities; nil where it was not asked for. It is counted
	// after the page was read, so a save in between shows.
	Total *int64 `json:"total,omitempty"`
}

// FindPage returns a page of the entities that Find would return. The sort keys are
// completed by the id, so that pages do not overlap. A store reads all entities before the
// page to skip them, and a save between two calls moves entities from page to page; see
// FindWindow for another way.
//
// ErrInvalid for a negative number, a size that is not from 1 to MaxPageSize, a page that
// begins behind entity 2,147,483,647, and a Limit or Offset among the options.
func FindPage[T any](ctx context.Context, r Repository[T], p PageRequest, q ...Option) (Page[T], error) {
	const doing = "find page"
	page := Page[T]{Number: p.Number, Size: p.Size}
	if err := checkSize(p.Size); err != nil {
		return page, failed(doing, err)
	}
	if p.Number < 0 || p.Number > math.MaxInt32/p.Size {
		return page, fmt.Errorf("repo: %s: %w: page %d of size %d", doing, ErrInvalid, p.Number, p.Size)
	}
	_, missing, err := completed(r, q)
	if err != nil {
		return page, failed(doing, err)
	}
	page.Items, page.HasNext, err = some(ctx, r, p.Size, with(q, missing, Offset(p.Number*p.Size)))
	if err != nil || !p.Total {
		return page, err
	}
	total, err := r.Count(ctx, q...)
	page.Total = &total
	return page, err
}

func checkSize(size int) error {
	if size < 1 || size > MaxPageSize {
		return fmt.Errorf("%w: size %d, it is from 1 to %d", ErrInvalid, size, MaxPageSize)
	}
	return nil
}

// some finds so many entities and tells whether there are more.
func some[T any](ctx context.Context, r Repository[T], size int, q []Option) (found []*T, more bool, err error) {
	found, err = r.Find(ctx, with(q, Limit(size+1))...)
	if err != nil || len(found) <= size {
		return found, false, err
	}
	return found[:size], true, nil
}
