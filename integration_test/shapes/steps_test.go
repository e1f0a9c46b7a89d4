package shapes_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/repo"
)

func (k *keeper[T]) save() {
	e := k.random()
	k.note("Save %s", shownJSON(e))
	if err := k.r.Save(k.t.Context(), e); err != nil {
		k.t.Errorf("save: %v", err)
		return
	}
	k.put(e)
}

func (k *keeper[T]) saveAll() {
	list := lo.UniqBy(lo.Times(3, func(int) *T { return k.random() }), k.key)
	k.note("SaveAll %s", shownJSON(list))
	if err := k.r.SaveAll(k.t.Context(), list); err != nil {
		k.t.Errorf("save all: %v", err)
		return
	}
	for _, e := range list {
		k.put(e)
	}
}

// some is a stored entity, nil where there is none.
func (k *keeper[T]) some() *T {
	keys := slices.Sorted(mapKeys(k.model))
	if len(keys) == 0 {
		return nil
	}
	return copied(k.model[keys[k.rnd.IntN(len(keys))]])
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// onlyChanges runs a change of one field and wants nothing else that is stored to change.
func (k *keeper[T]) onlyChanges(e *T, f *schema.Field, run func() error) {
	k.t.Helper()
	var before []map[string]any
	if k.rows != nil {
		before = k.rows()
	}
	if err := run(); err != nil {
		k.t.Errorf("changing %s: %v", f.Name, err)
		return
	}
	k.put(e)
	if k.rows == nil {
		return
	}
	may := []string{k.column(f)}
	for _, g := range k.schema.Fields {
		if tag := g.Tag.Get("holdfast"); tag == "version" || tag == "updated" || g.AutoUpdateTime > 0 {
			may = append(may, k.column(g))
		}
	}
	id := func(row map[string]any) string {
		return shownJSON(lo.Map(k.schema.PrimaryFields, func(f *schema.Field, _ int) any { return row[k.column(f)] }))
	}
	after, changedRows := lo.KeyBy(k.rows(), id), 0
	for _, row := range before {
		changed := false
		now := after[id(row)]
		for column := range lo.Assign(row, now) {
			if was, is := row[column], now[column]; fmt.Sprint(was) != fmt.Sprint(is) {
				changed = true
				if !lo.SomeBy(may, func(m string) bool { return column == m || strings.HasPrefix(column, m+".") }) {
					k.t.Errorf("changing %s changed %s from %v to %v", f.Name, column, was, is)
				}
			}
		}
		changedRows += lo.Ternary(changed, 1, 0)
	}
	if changedRows > 1 {
		k.t.Errorf("%d rows changed", changedRows)
	}
}

func (k *keeper[T]) update() {
	u, ok := repo.As[repo.Updater[T]](k.r)
	e, f := k.some(), k.fields[k.rnd.IntN(len(k.fields))]
	if !ok || e == nil {
		return
	}
	fill(k.of(f, e), k.rnd, false)
	k.note("Update %s: %s", f.Name, shownJSON(e))
	k.onlyChanges(e, f, func() error {
		_, err := u.Update(k.t.Context(), e, func(stored *T) error {
			k.of(f, stored).Set(k.of(f, copied(e)))
			return nil
		})
		return err
	})
}

// document has the key of e and the fields.
func (k *keeper[T]) document(e *T, fields []*schema.Field, null bool) string {
	doc := map[string]any{}
	for _, f := range slices.Concat(k.schema.PrimaryFields, fields) {
		at := doc
		for _, name := range f.BindNames[:len(f.BindNames)-1] {
			inner, ok := at[name].(map[string]any)
			if !ok {
				inner = map[string]any{}
				at[name] = inner
			}
			at = inner
		}
		at[f.Name] = k.of(f, e).Interface()
		if null && !f.PrimaryKey {
			at[f.Name] = nil
		}
	}
	return shownJSON(doc)
}

func (k *keeper[T]) smartSave(opts []repo.SmartSaveOption, docs ...string) error {
	k.note("SmartSave %v", docs)
	_, err := k.r.SmartSave(k.t.Context(), repo.SmartSaveDTO{EntityList: docs}, opts...)
	return err
}

// merge names one field, now and then as null.
func (k *keeper[T]) merge() {
	e, f := k.some(), k.fields[k.rnd.IntN(len(k.fields))]
	if e == nil {
		return
	}
	fill(k.of(f, e), k.rnd, false)
	null := k.rnd.IntN(4) == 0
	if null {
		k.of(f, e).SetZero()
	}
	doc := k.document(e, []*schema.Field{f}, null)
	k.onlyChanges(e, f, func() error { return k.smartSave([]repo.SmartSaveOption{repo.Merge()}, doc) })
}

// mergeNothing says what is stored already: no version is counted.
func (k *keeper[T]) mergeNothing() {
	e := k.some()
	if e == nil {
		return
	}
	before, err := k.r.FindByID(k.t.Context(), e)
	check.Must(k.t, err)
	if err := k.smartSave([]repo.SmartSaveOption{repo.Merge()}, k.document(e, k.fields, false)); err != nil {
		k.t.Errorf("merge: %v", err)
	}
	after, err := k.r.FindByID(k.t.Context(), e)
	check.Must(k.t, err)
	if got, want := shownJSON(after), shownJSON(before); got != want {
		k.t.Errorf("an equal document made %s\nof %s", got, want)
	}
}

// replace names some of the fields, and clears the others of what is stored.
func (k *keeper[T]) replace() {
	e := k.random()
	named := lo.Filter(k.fields, func(*schema.Field, int) bool { return k.rnd.IntN(2) == 0 })
	for _, f := range k.fields {
		if !slices.Contains(named, f) {
			k.of(f, e).SetZero()
		}
	}
	// The version is a member like others, where one is stored.
	members := lo.Filter(k.schema.Fields, func(f *schema.Field, _ int) bool { return f.Tag.Get("holdfast") == "version" })
	if err := k.smartSave(nil, k.document(e, slices.Concat(named, members), false)); err != nil {
		k.t.Errorf("replace: %v", err)
		return
	}
	k.put(e, named...)
}

// find counts by the key and by every field that all stores compare alike.
func (k *keeper[T]) find() {
	e := k.some()
	if e == nil {
		return
	}
	found, err := k.r.FindAllByID(k.t.Context(), []any{e, e})
	if err != nil || len(found) != 1 || k.canonical(found[0]) != k.canonical(e) {
		k.t.Errorf("find all by id: %d, %v", len(found), err)
	}
	for _, f := range k.fields {
		if len(f.BindNames) > 1 || f.FieldType != reflect.TypeFor[string]() {
			continue
		}
		text := k.of(f, e).String()
		want := lo.CountBy(lo.Values(k.model), func(e *T) bool { return k.of(f, e).String() == text })
		if n, err := k.r.Count(k.t.Context(), repo.F[T, string](f.Name).Eq(text)); err != nil || n != int64(want) {
			k.t.Errorf("%s = %q: %d, want %d, %v", f.Name, text, n, want, err)
		}
	}
}

// delete removes one; of a type with a mark the row stays and must not come back, so
// it is removed from the model for good only where there is none.
func (k *keeper[T]) delete() {
	e := k.some()
	if e == nil || k.schema.LookUpField("Gone") != nil {
		return
	}
	k.note("Delete %s", shownJSON(e))
	if err := k.r.DeleteByID(k.t.Context(), e); err != nil {
		k.t.Errorf("delete: %v", err)
	}
	delete(k.model, k.key(e))
	if _, err := k.r.FindByID(k.t.Context(), e); !errors.Is(err, repo.ErrNotFound) {
		k.t.Errorf("it is still there: %v", err)
	}
}
