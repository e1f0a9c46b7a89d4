package gormrepo

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// FindByID returns the entity with the id; see repo.Repository.
func (r *Repository[T]) FindByID(ctx context.Context, id any) (*T, error) {
	found, err := r.findByID(ctx, []any{id}, false)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%w: %s", repo.ErrNotFound, r.entity.Type)
	}
	if err != nil {
		return nil, r.failed(ctx, "find by id", single(err))
	}
	return found[0], nil
}

// FindAllByID returns the entities in the order of ids; see repo.Repository. A
// bad id is reported in a *repo.BatchError.
func (r *Repository[T]) FindAllByID(ctx context.Context, ids []any) ([]*T, error) {
	found, err := r.findByID(ctx, ids, true)
	return found, r.failed(ctx, "find all by id", err)
}

// findByID reads entities. The text of the statement depends on the length of a
// list.
func (r *Repository[T]) findByID(ctx context.Context, ids []any, list bool) ([]*T, error) {
	if err := dberr.Ended(ctx); err != nil {
		return nil, err
	}
	keys, err := r.keys(ids)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return []*T{}, nil
	}
	var rows []*T
	err = r.read(ctx, func(tx *gorm.DB) error {
		if list {
			tx.Statement.ConnPool = txconn.Unprepared(tx.Statement.ConnPool)
		}
		rows = make([]*T, 0, len(keys))
		for chunk := range slices.Chunk(keys, idsPerStatement) {
			var part []*T
			if err := through(tx, func(tx *gorm.DB) *gorm.DB { return r.live(tx).Where(r.keyIn(chunk)).Find(&part) }).Error; err != nil {
				return err
			}
			rows = append(rows, part...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(keys) < 2 {
		return rows, nil // a key that the database takes for equal need not be the same
	}
	byKey := r.byKey(keys, rows)
	found := make([]*T, 0, len(rows))
	for _, k := range keys {
		if row := byKey[identity(k)]; row != nil {
			found = append(found, row)
		}
	}
	return found, nil
}

// keys converts ids and leaves out repeated ones.
func (r *Repository[T]) keys(ids []any) ([][]any, error) {
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
func (r *Repository[T]) ExistsByID(ctx context.Context, id any) (bool, error) {
	if err := dberr.Ended(ctx); err != nil {
		return false, r.failed(ctx, "exists by id", err)
	}
	keys, err := r.keys([]any{id})
	if err != nil {
		return false, r.failed(ctx, "exists by id", single(err))
	}
	var n int64
	err = r.read(ctx, func(tx *gorm.DB) error {
		return through(r.live(tx), func(tx *gorm.DB) *gorm.DB { return tx.Model(new(T)).Where(r.keyIn(keys)).Count(&n) }).Error
	})
	return n > 0, r.failed(ctx, "exists by id", err)
}

// Find returns the entities that satisfy the options; see repo.Repository.
func (r *Repository[T]) Find(ctx context.Context, opts ...repo.Option) ([]*T, error) {
	q, err := r.compile(ctx, opts)
	if err != nil {
		return nil, r.failed(ctx, "find", err)
	}
	var found []*T
	err = r.read(ctx, func(tx *gorm.DB) error {
		found = []*T{}
		tx, err := r.restrict(tx, q)
		if err != nil {
			return err
		}
		return through(r.cut(r.ordered(tx, q), q), func(tx *gorm.DB) *gorm.DB { return tx.Find(&found) }).Error
	})
	if err != nil {
		return nil, r.failed(ctx, "find", err)
	}
	return found, nil
}

// Count counts the entities that Find would return; see repo.Repository.
func (r *Repository[T]) Count(ctx context.Context, opts ...repo.Option) (int64, error) {
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
		// What a Native option loads beside the entities does not matter here.
		clear(tx.Statement.Preloads)
		return through(tx, func(tx *gorm.DB) *gorm.DB { return tx.Model(new(T)).Count(&n) }).Error
	})
	if err != nil {
		return 0, r.failed(ctx, "count", err)
	}
	return n, nil
}
