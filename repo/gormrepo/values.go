package gormrepo

import (
	"context"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"
)

// assigned are columns with their values, as GORM's updates take them.
func (r *store) assigned(c *call, it *item, fields []*schema.Field) map[string]any {
	values := r.values(c, it, fields)
	set := make(map[string]any, len(fields))
	for i, f := range fields {
		set[f.DBName] = values[i]
	}
	return set
}

// values are what the database gets for the columns of an entity.
func (r *store) values(c *call, it *item, fields []*schema.Field) []any {
	return lo.Map(fields, func(f *schema.Field, _ int) any { return r.value(c.tx.Statement.Context, it, f) })
}

func (r *store) value(ctx context.Context, it *item, f *schema.Field) any {
	if alive, ok := r.aliveValue(); ok && lo.Contains(r.deleted, f) {
		return alive
	}
	v, zero := f.ValueOf(ctx, it.val)
	if zero && isNullDefault(f) {
		return nil
	}
	return v
}
