package driver

import (
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
)

// CheckEntities returns a *BatchError that names every nil in es, ErrInvalid,
// or nil when there is none. Backends and wrappers begin their writes with it.
func CheckEntities[T any](es []*T) error {
	var bad []*repo.ItemError
	for i, e := range es {
		if e == nil {
			bad = append(bad, &repo.ItemError{Index: i, Err: fmt.Errorf("%w: nil entity", repo.ErrInvalid)})
		}
	}
	if len(bad) > 0 {
		return &repo.BatchError{Items: bad}
	}
	return nil
}
