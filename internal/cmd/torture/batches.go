package main

import (
	"context"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// batches is a repository that tells the saves of a batch how many they are.
type batches[T any] struct{ *gormrepo.Repository[T] }

// Grouping is that of the repository inside: nothing is left out.
func (b batches[T]) Grouping(repo.Repository[T]) driver.Grouping {
	return b.Repository.Grouping(b.Repository)
}

func (b batches[T]) SaveGroup(ctx context.Context, calls []driver.SaveCall[T]) error {
	tellMembers(calls)
	return b.Repository.SaveGroup(ctx, calls)
}

// documentBatches does the same for MongoDB.
type documentBatches struct{ *mongorepo.Repository[Record] }

func (b documentBatches) Grouping(repo.Repository[Record]) driver.Grouping {
	return b.Repository.Grouping(b.Repository)
}

func (b documentBatches) SaveGroup(ctx context.Context, calls []driver.SaveCall[Record]) error {
	tellMembers(calls)
	return b.Repository.SaveGroup(ctx, calls)
}

func tellMembers[T any](calls []driver.SaveCall[T]) {
	for _, call := range calls {
		if m, ok := call.Context.Value(memberKey{}).(*member); ok {
			m.batch = max(m.batch, len(calls))
		}
	}
}
