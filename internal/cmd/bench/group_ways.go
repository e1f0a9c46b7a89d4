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

func newGroupRepos[T any](db *gorm.DB, l *etcdlock.Locker, o lockedrepo.Options) (g groupRepos[T], err error) {
	plain, err := gormrepo.New[T](db, nil)
	if err != nil {
		return g, err
	}
	g.db, g.quick = db, db.Session(&gorm.Session{SkipDefaultTransaction: true})
	if g.together, err = lockedrepo.New(plain, l, &o); err != nil {
		return g, err
	}
	o.Separate = true
	g.separate, err = lockedrepo.New(plain, l, &o)
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
func groupUpdates[T any, E groupEntity[T]](g groupRepos[T]) []saveFunc[T] {
	locked := func(r *lockedrepo.Repository[T]) saveFunc[T] {
		return func(ctx context.Context, rows []*T) error {
			_, err := r.Update(ctx, E(rows[0]).id(), func(e *T) error { E(e).change(); return nil })
			return err
		}
	}
	return []saveFunc[T]{
		gormDefault: func(ctx context.Context, rows []*T) error {
			return gormUpdate[T, E](g.db.WithContext(ctx), E(rows[0]).id())
		},
		gormQuick:      nil,
		lockedSeparate: locked(g.separate),
		lockedTogether: locked(g.together),
	}
}

func gormUpdate[T any, E groupEntity[T]](db *gorm.DB, id int64) error {
	return db.Transaction(func(tx *gorm.DB) error {
		read := tx
		if tx.Name() != "sqlite" { // whose transactions take the whole file
			read = tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
		}
		e := E(new(T))
		if err := read.Take(e, id).Error; err != nil {
			return err
		}
		e.change()
		return tx.Model(e).Update("n", e.count()).Error
	})
}
