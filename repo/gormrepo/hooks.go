package gormrepo

import (
	"errors"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
)

// GORM runs other hooks for an upsert than for an update, and not always those
// that fit what then happens, so the hooks are run here.

func (r *store) beforeSave(c *call, items []*item) error {
	has := r.schema.BeforeSave || r.schema.BeforeCreate || r.schema.BeforeUpdate
	return r.hooks(c, items, has, func(e any, tx *gorm.DB, it *item) error {
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

func (r *store) afterSave(c *call, items []*item) error {
	has := r.schema.AfterSave || r.schema.AfterCreate || r.schema.AfterUpdate
	return r.hooks(c, items, has, func(e any, tx *gorm.DB, it *item) error {
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

func (r *store) hasHooks() bool {
	s := r.schema
	return r.hasUpdateHooks() || !r.db.Statement.SkipHooks &&
		(s.BeforeSave || s.BeforeCreate || s.AfterSave || s.AfterCreate || s.BeforeDelete || s.AfterDelete)
}

// hasUpdateHooks tells whether there are hooks for rows that are stored. Then a save
// has to know which are.
func (r *store) hasUpdateHooks() bool {
	return !r.db.Statement.SkipHooks && (r.schema.BeforeUpdate || r.schema.AfterUpdate)
}

// hooksForSome tells whether there are hooks for new rows or for stored ones alone,
// which must not run, and refuse, for the others.
func (r *store) hooksForSome() bool {
	return r.hasUpdateHooks() || !r.db.Statement.SkipHooks && (r.schema.BeforeCreate || r.schema.AfterCreate)
}

// findExisting locks the rows that hooks for updates have to know of.
func (r *store) findExisting(c *call, items []*item) error {
	known := lo.Filter(items, func(it *item, _ int) bool { return !it.isNew && !it.exists })
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
func (r *store) hooks(c *call, items []*item, has bool, run func(e any, tx *gorm.DB, it *item) error) error {
	if !has || len(items) == 0 || r.db.Statement.SkipHooks {
		return nil
	}
	s, on := r.schema, c.tx.Model(r.newPointer())
	ctx, tx := on.Statement.Context, on.Session(&gorm.Session{NewDB: true})
	on.Statement.Schema, on.Statement.Table = s, s.Table
	for _, it := range items {
		on.Statement.Context = it.contextOf(ctx) //nolint:fatcontext // of ctx, each time
		e := it.pointer()
		on.Statement.Model, on.Statement.Dest, on.Statement.ReflectValue = e, e, it.val
		err := run(e, tx, it)
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
