package repotest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

// noon is a time that every store keeps exactly.
func noon() time.Time { return time.Date(2024, 2, 29, 12, 0, 0, 125_000_000, time.UTC) }

// item makes a full item; its unique column follows from its key.
func item(id string) *Item {
	note, due := "note of "+id, noon().Add(time.Hour)
	return &Item{
		ID: id, SKU: "sku-" + id, Name: "name of " + id, Note: &note, Active: true, Stock: 7, Grade: 3, Price: 1.25,
		At: noon(), Due: &due, Box: Box{Width: 2, Colour: "red"},
		Tags: []string{"b", "a"}, Labels: map[string]string{"k": "v"},
	}
}

func itemsOf(ids ...string) []*Item {
	list := make([]*Item, len(ids))
	for i, id := range ids {
		list[i] = item(id)
	}
	return list
}

// numbered makes n items whose keys sort by their number.
func numbered(n int) []*Item {
	list := make([]*Item, n)
	for i := range list {
		list[i] = item(fmt.Sprintf("i%06d", i))
		list[i].Stock = int64(i)
	}
	return list
}

func noErr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

// saysWhat is the beginning of an error's text: the package, what it was doing, and
// the cause.
var saysWhat = regexp.MustCompile(`^[a-z]+: [a-z][a-z0-9 ]*: \S`)

// wantErr wants an error that matches target, what target itself matches, and no
// other sentinel of repo. Its text says what was being done.
func wantErr(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got error %v, want one that matches %q", err, target)
	}
	if !saysWhat.MatchString(err.Error()) || strings.HasPrefix(err.Error(), target.Error()) {
		t.Fatalf("error %q does not begin with the package and what it was doing", err)
	}
	for _, other := range []error{
		repo.ErrNotFound, repo.ErrEmptySave, repo.ErrInvalid, repo.ErrDuplicateKey, repo.ErrStale, repo.ErrFenced, repo.ErrUnknown,
		repo.ErrInTx, repo.ErrTooMany, repo.ErrUnsupported, repo.ErrBusy, repo.ErrRegressed, repo.ErrWrongKey,
	} {
		if !errors.Is(target, other) && errors.Is(err, other) {
			t.Fatalf("error %v matches %q in addition to %q", err, other, target)
		}
	}
}

// wantOwn wants the error of the caller's own function, with or without more text.
func wantOwn(t *testing.T, err, own error) {
	t.Helper()
	if !errors.Is(err, own) {
		t.Fatalf("got error %v, want one that matches %q", err, own)
	}
}

// wantBatch wants a *repo.BatchError that names no other elements than
// indexes, and all of them when it names any.
func wantBatch(t *testing.T, err, target error, indexes ...int) {
	t.Helper()
	wantErr(t, err, target)
	var batch *repo.BatchError
	if !errors.As(err, &batch) {
		t.Fatalf("got %T %v, want a *repo.BatchError", err, err)
	}
	var got []int
	for _, it := range batch.Items {
		if it.Err == nil {
			t.Fatalf("element %d is named without a reason", it.Index)
		}
		got = append(got, it.Index)
	}
	if len(got) > 0 && !slices.Equal(got, indexes) {
		t.Fatalf("the error names elements %v, want %v: %v", got, indexes, err)
	}
}

// wantNamed is wantBatch where the elements are always known.
func wantNamed(t *testing.T, err, target error, indexes ...int) {
	t.Helper()
	wantBatch(t, err, target, indexes...)
	var batch *repo.BatchError
	if errors.As(err, &batch); len(batch.Items) != len(indexes) {
		t.Fatalf("the error names %d elements, want %v: %v", len(batch.Items), indexes, err)
	}
}

// same compares two entities as stores keep them: times to the millisecond in
// any zone, and no difference between an empty list or map and none.
func same[T any](t *testing.T, got, want *T) {
	t.Helper()
	if !alike(got, want) {
		t.Fatalf("got %s\nwant %s", shown(got), shown(want))
	}
}

func alike[T any](a, b *T) bool {
	if a == nil || b == nil {
		return false
	}
	ca, cb := canonical(a), canonical(b)
	va, vb := reflect.ValueOf(&ca).Elem(), reflect.ValueOf(&cb).Elem()
	for i := range va.NumField() {
		x, xok := timeIn(va.Field(i))
		y, yok := timeIn(vb.Field(i))
		if xok && yok && x.Sub(y).Abs() <= time.Millisecond {
			vb.Field(i).Set(va.Field(i)) // one store rounds, another cuts off
		}
	}
	return reflect.DeepEqual(ca, cb)
}

func timeIn(v reflect.Value) (time.Time, bool) {
	switch x := v.Interface().(type) {
	case time.Time:
		return x, true
	case *time.Time:
		if x != nil {
			return *x, true
		}
	}
	return time.Time{}, false
}

func canonical[T any](e *T) T {
	out := *e
	v := reflect.ValueOf(&out).Elem()
	for _, f := range v.Fields() {
		switch x := f.Interface().(type) {
		case time.Time:
			f.Set(reflect.ValueOf(x.UTC().Round(time.Millisecond)))
		case *time.Time:
			if x != nil {
				at := x.UTC().Round(time.Millisecond)
				f.Set(reflect.ValueOf(&at))
			}
		default:
			if (f.Kind() == reflect.Slice || f.Kind() == reflect.Map) && f.Len() == 0 {
				f.SetZero()
			}
		}
	}
	return out
}

func shown(e any) string {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Sprintf("%+v", e)
	}
	return string(b)
}

// stored wants exactly these items in the store and no others.
func stored(t *testing.T, r repo.Repository[Item], want ...*Item) {
	t.Helper()
	all, err := r.Find(t.Context())
	noErr(t, err)
	if len(all) != len(want) {
		t.Fatalf("%d items are stored, want %d: %v", len(all), len(want), idsOf(all))
	}
	for _, w := range want {
		got, err := r.FindByID(t.Context(), w.ID)
		noErr(t, err)
		same(t, got, w)
	}
}

func idsOf(es []*Item) []string {
	ids := make([]string, len(es))
	for i, e := range es {
		ids[i] = e.ID
	}
	return ids
}

// inOrder wants items with these keys in this order.
func inOrder(t *testing.T, got []*Item, want ...string) {
	t.Helper()
	if !slices.Equal(idsOf(got), want) {
		t.Fatalf("got %v, want %v", idsOf(got), want)
	}
}

// anyOrder wants items with these keys.
func anyOrder(t *testing.T, got []*Item, want ...string) {
	t.Helper()
	ids := idsOf(got)
	slices.Sort(ids)
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		t.Fatalf("got %v, want %v in any order", ids, want)
	}
}

func saveItems(t *testing.T, r repo.Repository[Item], es ...*Item) {
	t.Helper()
	noErr(t, r.SaveAll(t.Context(), es))
}

func get[T any](t *testing.T, r repo.Repository[T], id any) *T {
	t.Helper()
	e, err := r.FindByID(t.Context(), id)
	noErr(t, err)
	if e == nil {
		t.Fatalf("FindByID(%v) returned nil without an error", id)
	}
	return e
}

func count[T any](t *testing.T, r repo.Repository[T], want int64) {
	t.Helper()
	n, err := r.Count(t.Context())
	noErr(t, err)
	if n != want {
		t.Fatalf("Count is %d, want %d", n, want)
	}
}

func docs(texts ...string) repo.SmartSaveDTO { return repo.SmartSaveDTO{EntityList: texts} }

// document is the JSON text of e.
func document(t *testing.T, e any) string {
	t.Helper()
	b, err := json.Marshal(e)
	noErr(t, err)
	return string(b)
}

// anyIDs makes the ids of items an argument.
func anyIDs(ids ...string) []any {
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = id
	}
	return list
}

// nextMilli waits until a time written from now on can be told from one written
// before, whichever way the stores round.
func nextMilli(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for start := time.Now().UnixMilli(); time.Now().UnixMilli() <= start+2; {
		<-tick.C
	}
}
