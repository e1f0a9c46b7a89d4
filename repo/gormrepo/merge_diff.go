package gormrepo

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// changes finds the columns that differ from what is stored, and leaves out
// entities without any, unless they carry elements that are.
func (r *store) changes(ctx context.Context, merges []*merge) []*merge {
	r.noteChanges(ctx, merges)
	return slices.DeleteFunc(slices.Clone(merges), func(m *merge) bool {
		if m.isNew || len(m.changed) > 0 {
			return false
		}
		m.changed = r.counted()
		return !m.revived && !r.carries(ctx, m.val)
	})
}

// noteChanges notes the columns to write where something has changed, and forgets what was
// stored before. Rows with the same ones share a list.
func (r *store) noteChanges(ctx context.Context, merges []*merge) {
	var last []*schema.Field
	for _, m := range merges {
		if m.old == nil {
			continue
		}
		if m.changed = r.changed(ctx, m.val, m.old); len(m.changed) > 0 {
			m.changed = append(m.changed, r.counted()...)
		}
		if slices.Equal(m.changed, last) {
			m.changed = last
		}
		last, m.old = m.changed, nil
	}
}

// changed are the columns whose values differ from old, but for those that only
// the repository writes.
func (m *model) changed(ctx context.Context, e reflect.Value, old []any) []*schema.Field {
	return lo.Filter(m.merged, func(f *schema.Field, i int) bool { return !sameValue(old[i], plainColumn(ctx, e, f)) })
}

// counted are the columns that every save of a row changes.
func (m *model) counted() []*schema.Field {
	if m.version == nil {
		return slices.Clone(m.updated)
	}
	return append(slices.Clone(m.updated), m.version)
}

// maxSets is how many sets of changed columns are written by statements of their own.
// Rows of more sets are written together; see updateStatement.
const maxSets = 8

// writeMerges inserts the new ones and writes the changed columns of the
// others, those with the same columns together.
func (r *store) writeMerges(c *call, merges []*merge) error {
	known, fresh := lo.FilterReject(itemsOf(merges), func(it *item, _ int) bool { return !it.isNew })
	if err := r.insert(c, fresh); err != nil {
		return err
	}
	set := func(it *item) string { return strings.Join(names(it.changed), "\x00") }
	sets := lo.UniqBy(known, set)
	all := lo.Filter(r.columns, func(f *schema.Field, _ int) bool {
		return lo.SomeBy(sets, func(it *item) bool { return lo.Contains(it.changed, f) })
	})
	if len(sets) > maxSets && r.canMark(all) {
		return r.writeLocked(c, known, all)
	}
	alike := lo.GroupBy(known, set)
	for _, it := range sets {
		if err := r.writeLocked(c, alike[set(it)], it.changed); err != nil {
			return err
		}
	}
	return nil
}

// snapshot is what the database would get for each column that a merge may change. It
// shares no memory with the entity, which a merge changes in place.
func (m *model) snapshot(ctx context.Context, e reflect.Value) []any {
	return lo.Map(m.merged, func(f *schema.Field, _ int) any { return plainColumn(ctx, e, f) })
}

func plainColumn(ctx context.Context, e reflect.Value, f *schema.Field) any {
	v, _ := f.ValueOf(ctx, e)
	plain := plainValue(v)
	if text, ok := plain.(string); ok && entity.IsRawJSON(f.IndirectFieldType) {
		return plainJSON(text)
	}
	return plain
}

// plainJSON is JSON text without what makes no difference: databases write it in
// their own way.
func plainJSON(text string) string {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber() // 64 bits are too few for some
	var v any
	if dec.Decode(&v) != nil || dec.More() {
		return text
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return string(plain)
}

func plainValue(v any) any {
	rv := reflect.ValueOf(v)
	for rv.IsValid() && rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return nil
		}
		if _, ok := reflect.TypeAssert[driver.Valuer](rv); ok {
			break
		}
		rv = rv.Elem()
	}
	if !rv.IsValid() {
		return nil
	}
	if valuer, ok := reflect.TypeAssert[driver.Valuer](rv); ok {
		x, err := valuer.Value()
		if err != nil {
			return unlike()
		}
		rv = reflect.ValueOf(x)
		if !rv.IsValid() {
			return nil
		}
	}
	switch {
	case rv.Kind() == reflect.Slice && rv.IsNil():
		return nil
	case rv.Kind() == reflect.Slice && rv.Type().Elem().Kind() == reflect.Uint8:
		return string(rv.Bytes())
	case rv.Kind() <= reflect.Complex128, rv.Kind() == reflect.String, rv.Type() == reflect.TypeFor[time.Time]():
		return rv.Interface()
	default:
		return unlike() // a type that only GORM can write
	}
}

// unlike returns a value that differs from every other: what cannot be compared
// is written.
func unlike() any { return new(int) }

func sameValue(a, b any) bool {
	if x, ok := a.(time.Time); ok {
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
	}
	return a == b
}

// keep remembers the fields that only the repository writes and returns a
// function that puts them back.
func (m *model) keep(e reflect.Value) (restore func()) {
	ctx := context.Background()
	fields := slices.Concat(m.key, m.created, m.updated, m.deleted)
	if m.version != nil {
		fields = append(fields, m.version)
	}
	values := make([]reflect.Value, len(fields))
	for i, f := range fields {
		values[i] = detached(f.ReflectValueOf(ctx, e))
	}
	return func() {
		for i, f := range fields {
			f.ReflectValueOf(ctx, e).Set(values[i])
		}
	}
}

// detached is a copy that shares no memory with v.
func detached(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		c.Set(reflect.New(v.Type().Elem()))
		c.Elem().Set(v.Elem())
	case v.Kind() == reflect.Slice && !v.IsNil():
		c.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		reflect.Copy(c, v)
	default:
		c.Set(v)
	}
	return c
}

// merge is the documents of one entity, which make one write.
type merge struct {
	*item
	docs []int
	// old is the stored row before the merge.
	old []any
}

func itemsOf(merges []*merge) []*item {
	return lo.Map(merges, func(m *merge, _ int) *item { return m.item })
}
