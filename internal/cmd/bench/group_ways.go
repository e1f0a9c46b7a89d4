package main

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// Places of the ways to save.
const (
	gormDefault = iota
	gormQuick
	lockedSeparate
	lockedTogether
)

func groupWayName(i int) string {
	return []string{"GORM", "GORM, `SkipDefaultTransaction`", "locked, one by one", "locked, together"}[i]
}

// saveFunc saves the rows of one caller.
type saveFunc[T any] func(ctx context.Context, rows []*T) error

// groupRepos save the same rows by the one lock, without it and with it.
type groupRepos[T any] struct {
	db, quick          *gorm.DB
	separate, together *lockedrepo.Repository[T]
}

func newGroupRepos[T any](db *gorm.DB, l *etcdlock.Locker, key string) (g groupRepos[T], err error) {
	plain, err := gormrepo.New[T](db, nil)
	if err != nil {
		return g, err
	}
	g.db, g.quick = db, db.Session(&gorm.Session{SkipDefaultTransaction: true})
	if g.separate, err = lockedrepo.New(plain, l, &lockedrepo.Options{Key: key, Separate: true}); err != nil {
		return g, err
	}
	g.together, err = lockedrepo.New(plain, l, &lockedrepo.Options{Key: key})
	return g, err
}

// saves are in the order of the ways.
func (g groupRepos[T]) saves() []saveFunc[T] {
	return []saveFunc[T]{
		gormDefault:    func(ctx context.Context, rows []*T) error { return gormSave(g.db.WithContext(ctx), rows) },
		gormQuick:      func(ctx context.Context, rows []*T) error { return gormSave(g.quick.WithContext(ctx), rows) },
		lockedSeparate: lockedSaveOf(g.separate),
		lockedTogether: lockedSaveOf(g.together),
	}
}

// gormSave is one statement.
func gormSave[T any](db *gorm.DB, rows []*T) error {
	db = db.Clauses(clause.OnConflict{UpdateAll: true})
	if len(rows) == 1 {
		return db.Create(rows[0]).Error
	}
	return db.Create(rows).Error
}

func lockedSaveOf[T any](r *lockedrepo.Repository[T]) saveFunc[T] {
	return func(ctx context.Context, rows []*T) error {
		if len(rows) == 1 {
			return r.Save(ctx, rows[0])
		}
		return r.SaveAll(ctx, rows)
	}
}

// groupUpdates read and write one row. GORM has one way for it, since both its
// settings make the transaction that is asked for.
func groupUpdates(g groupRepos[article]) []saveFunc[article] {
	locked := func(r *lockedrepo.Repository[article]) saveFunc[article] {
		return func(ctx context.Context, rows []*article) error {
			_, err := r.Update(ctx, rows[0].ID, func(a *article) error { a.N++; return nil })
			return err
		}
	}
	return []saveFunc[article]{
		gormDefault:    func(ctx context.Context, rows []*article) error { return gormUpdate(g.db.WithContext(ctx), rows[0].ID) },
		gormQuick:      nil,
		lockedSeparate: locked(g.separate),
		lockedTogether: locked(g.together),
	}
}

func gormUpdate(db *gorm.DB, id int64) error {
	return db.Transaction(func(tx *gorm.DB) error {
		read := tx
		if tx.Name() != "sqlite" { // whose transactions take the whole file
			read = tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
		}
		var a article
		if err := read.Take(&a, id).Error; err != nil {
			return err
		}
		return tx.Model(&a).Update("n", a.N+1).Error
	})
}
