package gormrepo

import (
	"errors"
	"reflect"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
)

// GORM runs other hooks for an upsert than for an update, and not always those
// that fit what then happens, so the hooks are run here.

func (r *Repository[T]) beforeSave(c *call, items []*item[T]) error {
	has := r.schema.BeforeSave || r.schema.BeforeCreate || r.schema.BeforeUpdate
	return r.hooks(c, items, has, func(e any, tx *gorm.DB, it *item[T]) error {
		if h, ok := e.(callbacks.BeforeSaveInterface); ok && r.schema.BeforeSave {
			if err := h.BeforeSave(tx); err != nil {
				return err
			}
		}
		if h, ok := e.(callbacks.BeforeCreateInterface); ok && it.isNew && r.schema.BeforeCreate {
			return h.BeforeCreate(tx)
		}
		if h, ok := e.(callbacks.BeforeUpdateInterface); ok && it.exists && r.schema.BeforeUpdate {
			return h.BeforeUpdate(tx)
		}
		return nil
	})
}

func (r *Repository[T]) afterSave(c *call, items []*item[T]) error {
	has := r.schema.AfterSave || r.schema.AfterCreate || r.schema.AfterUpdate
	return r.hooks(c, items, has, func(e any, tx *gorm.DB, it *item[T]) error {
		if h, ok := e.(callbacks.AfterCreateInterface); ok && it.isNew && r.schema.AfterCreate {
			if err := h.AfterCreate(tx); err != nil {
				return err
			}
		}
		if h, ok := e.(callbacks.AfterUpdateInterface); ok && it.exists && r.schema.AfterUpdate {
			if err := h.AfterUpdate(tx); err != nil {
				return err
			}
		}
		if h, ok := e.(callbacks.AfterSaveInterface); ok && r.schema.AfterSave {
			return h.AfterSave(tx)
		}
		return nil
	})
}

func (r *Repository[T]) hasHooks() bool {
	s := r.schema
	return r.hasUpdateHooks() || !r.db.Statement.SkipHooks &&
		(s.BeforeSave || s.BeforeCreate || s.AfterSave || s.AfterCreate || s.BeforeDelete || s.AfterDelete)
}

// hasUpdateHooks tells whether there are hooks for rows that are stored. Then a save
// has to know which are.
func (r *Repository[T]) hasUpdateHooks() bool {
	return !r.db.Statement.SkipHooks && (r.schema.BeforeUpdate || r.schema.AfterUpdate)
}

// findExisting locks the rows that hooks for updates have to know of.
func (r *Repository[T]) findExisting(c *call, items []*item[T]) error {
	known := lo.Filter(items, func(it *item[T], _ int) bool { return !it.isNew })
	if len(known) == 0 || !r.hasUpdateHooks() {
		return nil
	}
	if err := r.lockDatabase(c); err != nil {
		return err
	}
	r.sortByKey(known)
	rows, err := r.stored(c.tx, r.keysOf(known), r.key, true)
	if err != nil {
		return err
	}
	stored, _ := r.split(known, rows)
	for _, it := range stored {
		it.exists = true
	}
	return nil
}

// hooks calls run for every item with a handle on the transaction, whose
// Statement is about that item, as hooks that use SetColumn expect. As in GORM they
// share the handle. There is nothing to do where T has none of the hooks that run calls.
func (r *Repository[T]) hooks(c *call, items []*item[T], has bool, run func(e any, tx *gorm.DB, it *item[T]) error) error {
	if !has || len(items) == 0 || r.db.Statement.SkipHooks {
		return nil
	}
	s, on := r.schema, c.tx.Model(new(T))
	ctx, tx := on.Statement.Context, on.Session(&gorm.Session{NewDB: true})
	on.Statement.Schema, on.Statement.Table = s, s.Table
	for _, it := range items {
		on.Statement.Context = it.contextOf(ctx) //nolint:fatcontext // of ctx, each time
		on.Statement.Model, on.Statement.Dest, on.Statement.ReflectValue = it.e, it.e, it.val
		err := run(it.e, tx, it)
		if err == nil {
			err = errors.Join(on.Error, tx.Error)
		}
		if err != nil {
			return r.itemError(it, err)
		}
		// What a hook wrote cannot be seen from here.
		c.wrote = true
	}
	return nil
}

// withAssociations saves around the rows what belongs before and after them.
func (r *Repository[T]) withAssociations(c *call, items []*item[T], write func() error) error {
	if !r.opts.Associations {
		return write()
	}
	list := make([]*T, len(items))
	for i, it := range items {
		list[i] = it.e
	}
	tx := c.tx.Session(&gorm.Session{FullSaveAssociations: true}).Model(&list)
	tx.Statement.Schema, tx.Statement.Table = r.schema, r.schema.Table
	tx.Statement.Dest, tx.Statement.ReflectValue = &list, reflect.ValueOf(&list).Elem()
	if callbacks.SaveBeforeAssociations(true)(tx); tx.Error != nil {
		return tx.Error
	}
	c.wrote = true
	if err := write(); err != nil {
		return err
	}
	callbacks.SaveAfterAssociations(true)(tx)
	return tx.Error
}
