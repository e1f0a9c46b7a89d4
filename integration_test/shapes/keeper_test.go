package shapes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/repo"
)

// keeper compares a repository with a map.
type keeper[T any] struct {
	t      *testing.T
	r      repo.Repository[T]
	rnd    *rand.Rand
	rows   func() []map[string]any // as they are stored, nil where they cannot be seen
	column func(f *schema.Field) string
	// defaults tells that the store gives literal defaults.
	defaults bool

	schema *schema.Schema
	fields []*schema.Field // that are the caller's
	model  map[string]*T
	trace  []string
}

func keep[T any](t *testing.T, k *keeper[T]) {
	t.Helper()
	s, err := schema.Parse(new(T), &sync.Map{}, oneTable{table: "x"})
	check.Must(t, err)
	k.t, k.schema, k.model = t, s, map[string]*T{}
	for _, f := range s.Fields {
		duty := f.Tag.Get("holdfast") != "" || f.AutoCreateTime > 0 || f.AutoUpdateTime > 0
		if f.DBName != "" && !f.PrimaryKey && !duty {
			k.fields = append(k.fields, f)
		}
	}
	for range max(1, scale.Full(20)/2) {
		for _, step := range []func(){
			k.save, k.saveAll, k.update, k.merge, k.replace, k.save, k.mergeNothing, k.update, k.merge, k.find, k.delete, k.replace, k.save,
		} {
			step()
			k.compare()
			if t.Failed() {
				t.Logf("after %s", strings.Join(k.trace, "\n"))
				return
			}
		}
	}
}

func (k *keeper[T]) note(format string, args ...any) {
	k.trace = append(k.trace, fmt.Sprintf(format, args...))
}

// random makes an entity with one of a few keys.
func (k *keeper[T]) random() *T {
	e := new(T)
	v := reflect.ValueOf(e).Elem()
	for i, f := range k.schema.PrimaryFields {
		fill(f.ReflectValueOf(context.Background(), v), rand.New(rand.NewPCG(uint64(k.rnd.IntN(4)), uint64(i))), true)
	}
	for _, f := range k.fields {
		fill(f.ReflectValueOf(context.Background(), v), k.rnd, false)
	}
	// An entity that is stored is saved as it was read, but for the caller's fields.
	if old := k.model[k.key(e)]; old != nil {
		read := copied(old)
		for _, f := range k.fields {
			k.of(f, read).Set(k.of(f, e))
		}
		return read
	}
	return e
}

func (k *keeper[T]) of(f *schema.Field, e *T) reflect.Value {
	return f.ReflectValueOf(context.Background(), reflect.ValueOf(e).Elem())
}

func (k *keeper[T]) key(e *T) string {
	return shownJSON(lo.Map(k.schema.PrimaryFields, func(f *schema.Field, _ int) any { return k.of(f, e).Interface() }))
}

// fill gives a value, zero ones among them; of a key none is zero.
func fill(v reflect.Value, rnd *rand.Rand, key bool) {
	if !key && rnd.IntN(4) == 0 {
		v.SetZero()
		return
	}
	small := int64(rnd.IntN(100)) + 1
	switch {
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), rnd, key)
	case v.Type() == reflect.TypeFor[time.Time]():
		zone := []*time.Location{time.UTC, time.FixedZone("east", 8*3600), time.Local}[rnd.IntN(3)]
		v.Set(reflect.ValueOf(time.UnixMilli(1_700_000_000_000 + rnd.Int64N(1e10)).In(zone)))
	case v.Kind() == reflect.Bool:
		v.SetBool(rnd.IntN(2) == 0)
	case v.Kind() == reflect.String:
		v.SetString([]string{"a", "é'\"\\", "%_", "  b ", "日本", strings.Repeat("x", 15)}[rnd.IntN(6)])
	case v.CanInt() && !key && v.Kind() == reflect.Int64 && rnd.IntN(4) == 0:
		v.SetInt(math.MinInt64 + small)
	case v.CanInt():
		v.SetInt(small)
	case v.CanUint():
		v.SetUint(uint64(small))
	case v.CanFloat():
		v.SetFloat(float64(small) / 4)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		v.SetBytes([]byte{0, 255, byte(small)})
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rnd.IntN(3), 3))
		for i := range v.Len() {
			fill(v.Index(i), rnd, key)
		}
	case v.Kind() == reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(rnd.IntN(256)))
		}
	case v.Kind() == reflect.Struct:
		for _, f := range v.Fields() {
			fill(f, rnd, key)
		}
	}
}

func copied[T any](e *T) *T {
	c := new(T)
	if err := json.Unmarshal([]byte(shownJSON(e)), c); err != nil {
		panic(err)
	}
	return c
}

func shownJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// canonical is an entity as text, without the duties and without what stores do not
// tell apart: an empty list and none, a time's zone.
func (k *keeper[T]) canonical(e *T) string {
	c := copied(e)
	for _, f := range k.schema.Fields {
		if f.DBName != "" && !f.PrimaryKey && !slices.Contains(k.fields, f) {
			k.of(f, c).SetZero()
		}
	}
	plainTimes(reflect.ValueOf(c).Elem())
	return shownJSON(c)
}

func plainTimes(v reflect.Value) {
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		plainTimes(v.Elem())
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(v.Interface().(time.Time).UTC()))
	case v.Kind() == reflect.Struct:
		for _, f := range v.Fields() {
			plainTimes(f)
		}
	case v.Kind() == reflect.Slice && v.Len() == 0:
		v.SetZero()
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			plainTimes(v.Index(i))
		}
	}
}

// put notes what must be stored. An entity that was not there gets literal defaults
// for zero values, unless a document has named them.
func (k *keeper[T]) put(e *T, named ...*schema.Field) {
	c := copied(e)
	if k.defaults && k.model[k.key(e)] == nil {
		for _, f := range k.fields {
			text, isDefault := f.TagSettings["DEFAULT"]
			if v := k.of(f, c); isDefault && text != "null" && v.IsZero() && !slices.Contains(named, f) {
				check.Must(k.t, f.Set(context.Background(), reflect.ValueOf(c).Elem(), text))
			}
		}
	}
	k.model[k.key(e)] = c
}

// compare wants the store to have what the map has.
func (k *keeper[T]) compare() {
	k.t.Helper()
	all, err := k.r.Find(k.t.Context())
	if err != nil {
		k.t.Errorf("find: %v", err)
		return
	}
	got := lo.SliceToMap(all, func(e *T) (string, string) { return k.key(e), k.canonical(e) })
	want := lo.MapValues(k.model, func(e *T, _ string) string { return k.canonical(e) })
	if !reflect.DeepEqual(got, want) {
		k.t.Errorf("stored %v\nwant   %v", got, want)
	}
	for _, e := range all { // the duties as they are now
		if m := k.model[k.key(e)]; m != nil {
			k.checkDuties(m, e)
			k.model[k.key(e)] = copied(e)
		}
	}
}

// checkDuties wants a creation time that stays and a version that never goes back.
func (k *keeper[T]) checkDuties(old, e *T) {
	k.t.Helper()
	for _, f := range k.schema.Fields {
		was, is := k.of(f, old), k.of(f, e)
		switch f.Tag.Get("holdfast") {
		case "version":
			if was.CanInt() && is.Int() < was.Int() || was.CanUint() && is.Uint() < was.Uint() || is.IsZero() {
				k.t.Errorf("the version went from %v to %v", was, is)
			}
		case "created":
			before, now := was.Interface().(time.Time), is.Interface().(time.Time)
			if now.IsZero() || !before.IsZero() && !before.Equal(now) {
				k.t.Errorf("the time of creation went from %v to %v", before, now)
			}
		}
	}
}
