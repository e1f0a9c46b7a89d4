package sqldb

import (
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// Repository makes the table of T and a repository on it.
func Repository[T any](t testing.TB, db *gorm.DB, opts *gormrepo.Options) *gormrepo.Repository[T] {
	t.Helper()
	if err := db.AutoMigrate(new(T)); err != nil {
		t.Fatal(err)
	}
	r, err := gormrepo.New[T](db, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Rows reads a table past the repository.
func Rows[T any](t testing.TB, db *gorm.DB) []T {
	t.Helper()
	var all []T
	if err := db.Unscoped().Order("id").Find(&all).Error; err != nil {
		t.Fatal(err)
	}
	return all
}
