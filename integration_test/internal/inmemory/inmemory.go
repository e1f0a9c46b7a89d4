package inmemory

import (
	"testing"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// Of makes repositories in memory.
func Of[T any](opts *memrepo.Options) func(t *testing.T) repo.Repository[T] {
	return func(t *testing.T) repo.Repository[T] {
		t.Helper()
		r, err := memrepo.New[T](opts)
		check.Must(t, err)
		return r
	}
}
