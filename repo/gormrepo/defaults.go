package gormrepo

import (
	"context"
	"reflect"
	"slices"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"
)

// A zero value of a column with a literal default stands for the default where its
// row is inserted, as in GORM's Create, and for itself where it is overwritten. What
// a document gives as zero is meant.

// defaulted are the columns of it that get their default where the row is inserted.
func (r *store) defaulted(ctx context.Context, it *item) []*schema.Field {
	return lo.Filter(r.defaults, func(f *schema.Field, _ int) bool {
		_, zero := f.ValueOf(ctx, it.val)
		return zero && !slices.Contains(it.explicit(), f)
	})
}

// explicit are the columns with a default that the documents give a zero value. An
// entity that begins with other values shows what they do not name.
func (r *store) explicit(docs *documents, list []int, e reflect.Value) ([]*schema.Field, error) {
	ctx := context.Background()
	zero := lo.Filter(r.defaults, func(f *schema.Field, _ int) bool {
		_, zero := f.ValueOf(ctx, e)
		return zero
	})
	if len(zero) == 0 {
		return nil, nil
	}
	begun := r.newValue()
	zero = lo.Filter(zero, func(f *schema.Field, _ int) bool { return setMark(f.ReflectValueOf(ctx, begun)) })
	if len(zero) == 0 {
		return nil, nil
	}
	for _, i := range list {
		if err := docs.mergeInto(i, begun); err != nil {
			return nil, err
		}
	}
	return lo.Filter(zero, func(f *schema.Field, _ int) bool {
		_, zero := f.ValueOf(ctx, begun)
		return zero
	}), nil
}

// noteExplicit notes them in the item of the documents.
func (r *store) noteExplicit(docs *documents, list []int, it *item) error {
	fields, err := r.explicit(docs, list, it.val)
	if len(fields) > 0 || it.rare != nil {
		it.more().explicit = fields
	}
	return err
}

// explicitZeros are the items of which an INSERT of GORM would replace a zero value
// by a default although it was given, each with those columns.
func (r *store) explicitZeros(items []*item) map[*item][]*schema.Field {
	ctx := context.Background()
	zeros := map[*item][]*schema.Field{}
	for _, it := range items {
		fields := lo.Filter(it.explicit(), func(f *schema.Field, _ int) bool {
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
func (r *store) writeZeros(c *call, zeros map[*item][]*schema.Field) error {
	list := lo.Keys(zeros)
	slices.SortFunc(list, func(a, b *item) int { return a.index - b.index })
	for _, it := range list {
		for _, f := range zeros[it] {
			f.ReflectValueOf(context.Background(), it.val).SetZero()
		}
	}
	for _, g := range grouped(list, func(it *item) group { return group{defaulted: zeros[it]} }) {
		rows := r.dialect.rows(len(r.key) + len(g.defaulted))
		err := r.inBatches(c, g.items, rows, func(batch []*item) error { return r.updateRows(c, batch, g.defaulted) })
		if err != nil {
			return err
		}
	}
	return nil
}
