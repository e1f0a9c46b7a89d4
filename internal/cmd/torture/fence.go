package main

import (
	"context"
	"reflect"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// migrateFence makes the tables that the fence is kept in.
func migrateFence(ctx context.Context, db *gorm.DB) error { return gormrepo.MigrateFence(ctx, db) }

// outcome asks the database for the outcome of an operation whose caller was
// told that nobody knows.
func (b *backend) outcome(ctx context.Context, id string) (written bool, err error) {
	return gormrepo.Outcome(ctx, b.db, id)
}

// fenced reports whether locked repositories have the store enforce the fence.
// Without it Holdfast is no more than a lock, and loses where locks lose.
func fenced(store string) bool {
	var r any = (*gormrepo.Repository[Record])(nil)
	if store == onMongoDB {
		r = (*mongorepo.Repository[Record])(nil)
	}
	_, enforces := r.(repo.Fencer)
	_, demanded := reflect.TypeFor[lockedrepo.Options]().FieldByName("Unfenced")
	return enforces && demanded
}
