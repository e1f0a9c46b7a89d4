package gormrepo

import (
	"context"
	"fmt"
	"reflect"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// findOne returns the entity with the id, or repo.ErrNotFound.
func (r *store) findOne(ctx context.Context, id any) (reflect.Value, error) {
	found, err := r.findByID(ctx, []any{id}, false)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%w: %s", repo.ErrNotFound, r.entity.Type)
	}
	if err != nil {
		return reflect.Value{}, single(err)
	}
	return found[0], nil
}

// findByID reads entities. The text of the statement depends on the length of a
// list.
func (r *store) findByID(ctx context.Context, ids []any, list bool) ([]reflect.Value, error) {
	if err := driver.Ended(ctx); err != nil {
		return nil, err
	}
	keys, err := r.keys(ids)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, nil
	}
	var rows []reflect.Value
	err = r.read(ctx, func(tx *gorm.DB) error {
		if list {
			tx.Statement.ConnPool = txconn.Unprepared(tx.Statement.ConnPool)
		}
		rows, err = r.chunks(tx, keys, func(tx *gorm.DB) *gorm.DB { return r.live(tx) })
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(keys) < 2 {
		return rows, nil // a key that the database takes for equal need not be the same
	}
	byKey := r.byKey(keys, rows)
	found := make([]reflect.Value, 0, len(rows))
	for _, k := range keys {
		if row := byKey[identity(k)]; row.IsValid() {
			found = append(found, row)
		}
	}
	return found, nil
}

// keys converts ids and leaves out repeated ones.
func (r *store) keys(ids []any) ([][]any, error) {
	var bad failures
	seen := make(map[any]bool, len(ids))
	keys := make([][]any, 0, len(ids))
	for i, id := range ids {
		key, err := r.entity.KeyFromID(id)
		if err != nil {
			bad.add(i, nil, err)
			continue
		}
		key = r.kept(key)
		if k := identity(key); !seen[k] {
			seen[k] = true
			keys = append(keys, key)
		}
	}
	return keys, bad.err()
}

// ExistsByID tells whether there is an entity with the id; see
// repo.Repository.
func (r *store) ExistsByID(ctx context.Context, id any) (bool, error) {
	if err := driver.Ended(ctx); err != nil {
		return false, r.failed(ctx, "exists by id", err)
	}
	keys, err := r.keys([]any{id})
	if err != nil {
		return false, r.failed(ctx, "exists by id", single(err))
	}
	var n int64
	err = r.read(ctx, func(tx *gorm.DB) error {
		return through(r.live(tx), func(tx *gorm.DB) *gorm.DB { return tx.Model(r.newPointer()).Where(r.keyIn(keys)).Count(&n) }).Error
	})
	return n > 0, r.failed(ctx, "exists by id", err)
}

// find reads the entities that satisfy the options into list, a pointer to a slice. An
// attempt that fails may leave some there.
func (r *store) find(ctx context.Context, list any, opts []repo.Option) error {
	q, err := r.compile(ctx, opts)
	if err != nil {
		return err
	}
	return r.read(ctx, func(tx *gorm.DB) error {
		reflect.ValueOf(list).Elem().SetLen(0)
		tx, err := r.restrict(tx, q)
		if err != nil {
			return err
		}
		return through(r.cut(r.ordered(r.projected(tx, q), q), q), func(tx *gorm.DB) *gorm.DB { return tx.Find(list) }).Error
	})
}

// Count counts the entities that Find would return; see repo.Repository.
func (r *store) Count(ctx context.Context, opts ...repo.Option) (int64, error) {
	q, err := r.compile(ctx, opts)
	if err != nil {
		return 0, r.failed(ctx, "count", err)
	}
	var n int64
	err = r.read(ctx, func(tx *gorm.DB) error {
		tx, err := r.restrict(tx, q)
		if err != nil {
			return err
		}
		// What a Native option loads with the entities does not matter here.
		clear(tx.Statement.Preloads)
		return through(tx, func(tx *gorm.DB) *gorm.DB { return tx.Model(r.newPointer()).Count(&n) }).Error
	})
	if err != nil {
		return 0, r.failed(ctx, "count", err)
	}
	return n, nil
}
