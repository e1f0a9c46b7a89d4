package gormrepo

import (
	"context"
	"reflect"
	"slices"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo/driver"
)

// A zero value of a column with a literal default stands for the default where its
// row is inserted, as in GORM's Create, and for itself where it is overwritten. What
// a document gives as zero is meant.

// defaulted are the columns of it that get their default where the row is inserted.
func (r *Repository[T]) defaulted(ctx context.Context, it *item[T]) []*schema.Field {
	return lo.Filter(r.defaults, func(f *schema.Field, _ int) bool {
		_, zero := f.ValueOf(ctx, it.val)
		return zero && !slices.Contains(it.explicit, f)
	})
}

// explicit are the columns with a default that the documents give a zero value. An
// entity that begins with other values shows what they do not name.
func (r *Repository[T]) explicit(docs *driver.Documents[T], list []int, e reflect.Value) ([]*schema.Field, error) {
	ctx := context.Background()
	zero := lo.Filter(r.defaults, func(f *schema.Field, _ int) bool {
		_, zero := f.ValueOf(ctx, e)
		return zero
	})
	begun := new(T)
	zero = lo.Filter(zero, func(f *schema.Field, _ int) bool { return setMark(f.ReflectValueOf(ctx, valueOf(begun))) })
	if len(zero) == 0 {
		return nil, nil
	}
	for _, i := range list {
		if err := docs.MergeInto(i, begun); err != nil {
			return nil, err
		}
	}
	return lo.Filter(zero, func(f *schema.Field, _ int) bool {
		_, zero := f.ValueOf(ctx, valueOf(begun))
		return zero
	}), nil
}

// explicitZeros are the items of which an INSERT of GORM would replace a zero value
// by a default although it was given, each with those columns.
func (r *Repository[T]) explicitZeros(items []*item[T]) map[*item[T]][]*schema.Field {
	ctx := context.Background()
	zeros := map[*item[T]][]*schema.Field{}
	for _, it := range items {
		fields := lo.Filter(it.explicit, func(f *schema.Field, _ int) bool {
			_, zero := f.ValueOf(ctx, it.val)
			return zero
		})
		if len(fields) > 0 {
			zeros[it] = fields
		}
	}
	return zeros
}

// writeZeros writes the values that were given for columns with a default.
func (r *Repository[T]) writeZeros(c *call, zeros map[*item[T]][]*schema.Field) error {
	list := lo.Keys(zeros)
	slices.SortFunc(list, func(a, b *item[T]) int { return a.index - b.index })
	for _, it := range list {
		for _, f := range zeros[it] {
			f.ReflectValueOf(context.Background(), it.val).SetZero()
		}
	}
	for _, g := range grouped(list, func(it *item[T]) group[T] { return group[T]{defaulted: zeros[it]} }) {
		for batch := range slices.Chunk(g.items, r.dialect.rows(len(r.key)+len(g.defaulted))) {
			if err := r.updateRows(c, batch, g.defaulted); err != nil {
				return err
			}
		}
	}
	return nil
}
