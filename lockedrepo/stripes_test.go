package lockedrepo_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

const stripeCount = 8

// setupStripes is a bundle with a repository of the key "k" that has stripes.
func setupStripes(t *testing.T, o lockedrepo.Options) (*txBundle, *lockedrepo.Repository[order]) {
	t.Helper()
	b := setupTx(t, 10*time.Second)
	o.Key, o.LockTimeout = "k", 10*time.Second
	r := b.add(t, b.store, o)
	b.repos["k"] = r
	return b, r
}

func byID() lockedrepo.Options { return lockedrepo.Options{Stripes: lockedrepo.ByID(stripeCount)} }

func keysOf[T any](t *testing.T, r *lockedrepo.Repository[T], ids ...any) []string {
	t.Helper()
	keys, err := r.KeysOf(ids...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// apart are ids of different stripes.
func apart(t *testing.T, r *lockedrepo.Repository[order], n int) []string {
	t.Helper()
	var ids, keys []string
	for i := 0; len(ids) < n; i++ {
		id := fmt.Sprint("id", i)
		if key := keysOf(t, r, id)[0]; !slices.Contains(keys, key) {
			ids, keys = append(ids, id), append(keys, key)
		}
	}
	return ids
}

func noChange(*order) error { return nil }

// A call locks and shows the stripes of its ids, sorted, by one call of Lock. The guard
// is the set.
func TestStripes_OfACall(t *testing.T) {
	t.Parallel()
	b, r := setupStripes(t, byID())
	defer b.wantFree(t)
	ids := apart(t, r, 5)
	if r.Key() != "k%8" || len(r.Keys()) != stripeCount || r.Keys()[7] != "k%8/07" {
		t.Fatalf("Key is %q, Keys are %q", r.Key(), r.Keys())
	}
	for name, c := range map[string]struct {
		method string
		want   []string
		call   func(ctx context.Context) error
	}{
		"Save":   {"Save", keysOf(t, r, ids[0]), func(ctx context.Context) error { return r.Save(ctx, &order{ID: ids[0]}) }},
		"Update": {"Update", keysOf(t, r, "1"), func(ctx context.Context) error { _, err := r.Update(ctx, "1", noChange); return err }},
		"Insert": {"Insert", keysOf(t, r, ids[3], ids[4]), func(ctx context.Context) error { return r.Insert(ctx, &order{ID: ids[4]}, &order{ID: ids[3]}) }},
		"InsertIfAbsent": {"InsertIfAbsent", keysOf(t, r, ids[2]), func(ctx context.Context) error {
			_, err := r.InsertIfAbsent(ctx, &order{ID: ids[2]})
			return err
		}},
		"UpsertBy": {"UpsertBy", r.Keys(), func(ctx context.Context) error {
			_, err := r.UpsertBy(ctx, []*order{{ID: "upserted", Total: 99}}, total)
			return err
		}},
		"UpdateWhere": {"UpdateWhere", r.Keys(), func(ctx context.Context) error { _, err := r.UpdateWhere(ctx, total.Lt(0), total.Set(1)); return err }},
		"DeleteWhere": {"DeleteWhere", r.Keys(), func(ctx context.Context) error { _, err := r.DeleteWhere(ctx, total.Lt(0)); return err }},
		"Restore":     {"Restore", keysOf(t, r, ids[1]), func(ctx context.Context) error { _, err := r.Restore(ctx, ids[1]); return err }},
		"InTx":        {"InTx", r.Keys(), func(ctx context.Context) error { return r.InTx(ctx, nothing) }},
		"For": {"InTx", keysOf(t, r, ids[2], ids[1]), func(ctx context.Context) error {
			return lockedrepo.InTx(ctx, nothing, r.For(ids[1], &order{ID: ids[2]}))
		}},
	} {
		before := b.waits
		b.shown()
		err := c.call(t.Context())
		if got, want := b.shown(), fmt.Sprintf("k.%s shows %v for [k%%8]", c.method, c.want); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %q; %v", name, got, want, err)
		}
		if b.waits != before+1 {
			t.Errorf("%s: %d calls of Lock", name, b.waits-before)
		}
	}
}

// The stripe of an id is part of the protocol: processes of two versions must agree.
func TestStripes_Hash(t *testing.T) {
	t.Parallel()
	_, r := setupStripes(t, byID())
	got := map[string]string{}
	for _, id := range []string{"a", "b", "order-1", "order-2", "c56a4180-65aa-42ec-a945-5fd21dec0538"} {
		got[id] = keysOf(t, r, id)[0]
	}
	want := map[string]string{
		"a": "k%8/00", "b": "k%8/01", "order-1": "k%8/00", "order-2": "k%8/05", "c56a4180-65aa-42ec-a945-5fd21dec0538": "k%8/03",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	_, numbers, done := stripedShop()
	defer done()
	used := map[string]int{}
	for id := range 1000 {
		used[keysOf(t, numbers, id)[0]]++
	}
	if len(used) != stripeCount || slices.Max(slices.Collect(maps.Values(used))) > 200 {
		t.Errorf("1000 ids are of %v", used)
	}
}

// All spellings of an id are of one stripe. What could be equal by a rule that nobody
// knows is of all.
func TestStripes_SpellingsOfAnID(t *testing.T) {
	t.Parallel()
	_, texts := setupStripes(t, byID())
	for _, same := range [][]any{
		{"straat", "STRAAT", "straat  ", " straat"},
		{"c56a4180-65aa-42ec-a945-5fd21dec0538", "C56A4180-65AA-42EC-A945-5FD21DEC0538", "{c56a418065aa42eca9455fd21dec0538}"},
		{"7", "07", "7.0", "+7"},
		{"vijg", "wyig", "UIIG"},
		{"x", &order{ID: "X"}, order{ID: "x"}},
	} {
		for _, id := range same[1:] {
			if a, b := keysOf(t, texts, same[0]), keysOf(t, texts, id); len(a) != 1 || !slices.Equal(a, b) {
				t.Errorf("%v is of %q, %v of %q", same[0], a, id, b)
			}
		}
	}
	for _, id := range []string{"straße", "café", "a\x00b", "７", "", "-"} {
		if keys := keysOf(t, texts, id); len(keys) != stripeCount {
			t.Errorf("%q is of %q", id, keys)
		}
	}
	_, numbers, done := stripedShop()
	defer done()
	for _, id := range []any{int64(7), uint8(7), &Order{ID: 7}, Order{ID: 7}} {
		if a, b := keysOf(t, numbers, 7), keysOf(t, numbers, id); len(a) != 1 || !slices.Equal(a, b) {
			t.Errorf("7 is of %q, %T of %q", a, id, b)
		}
	}
	for _, ids := range [][]any{{"seven"}, {7, nil}, {}} {
		if _, err := numbers.KeysOf(ids...); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%v: %v", ids, err)
		}
		if err := lockedrepo.InTx(t.Context(), nothing, numbers.For(ids...)); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("InTx for %v: %v", ids, err)
		}
	}
}

// Entities without a key go into a stripe that is held, or into that of the process.
func TestStripes_NewEntities(t *testing.T) {
	t.Parallel()
	mem, err := memrepo.New[Order](nil)
	if err != nil {
		t.Fatal(err)
	}
	locker := newLocker(t, newCluster(t), nil)
	var claimed []string
	stored := txStore[Order]{mem, &database{}, func(ctx context.Context, _ string) {
		if f, ok := driver.FenceFrom(ctx); ok {
			for _, c := range f.Claims() {
				claimed = append(claimed, c.Key)
			}
		}
	}}
	r, err := lockedrepo.New[Order](stored, locker, &lockedrepo.Options{Key: "k", Stripes: lockedrepo.ByID(stripeCount)})
	if err != nil {
		t.Fatal(err)
	}
	save := func(ctx context.Context) error { return r.Save(ctx, &Order{}) }
	if err := errors.Join(save(t.Context()), save(t.Context())); err != nil || len(claimed) != 2 || claimed[0] != claimed[1] {
		t.Errorf("got %q, %v", claimed, err)
	}
	keys := keysOf(t, r, 5)
	claimed = nil
	hold, err := locker.Lock(t.Context(), keys...)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(save(hold.Context()), hold.Unlock(t.Context()), lockedrepo.InTx(t.Context(), save, r.For(5)))
	if err != nil || len(claimed) != 3 || slices.ContainsFunc(claimed, func(key string) bool { return key != keys[0] }) {
		t.Errorf("with %q: got %q, %v", keys, claimed, err)
	}
}

func TestStripes_Options(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	total := func(o *order) string { return fmt.Sprint(o.Total) }
	for name, o := range map[string]lockedrepo.Options{
		"None":          {Key: "k", Stripes: lockedrepo.ByID(0)},
		"One":           {Key: "k", Stripes: lockedrepo.ByID(1)},
		"TooMany":       {Key: "k", Stripes: lockedrepo.ByFunc(65, total)},
		"Negative":      {Key: "k", Stripes: lockedrepo.ByID(-1)},
		"NoFunction":    {Key: "k", Stripes: lockedrepo.ByFunc[order](4, nil)},
		"AnotherType":   {Key: "k", Stripes: lockedrepo.ByFunc(4, func(*Order) string { return "" })},
		"KeyOfASet":     {Key: "k%16"},
		"KeyOfAStripe":  {Key: "k%16/03", Stripes: lockedrepo.ByID(4)},
		"FormerSet":     {Key: "k", FormerKey: "k%4", Stripes: lockedrepo.ByID(4)},
		"FormerStripes": {Key: "k", FormerKey: "k%8"},
		"LongKey":       {Key: fmt.Sprintf("%0189d", 1), Stripes: lockedrepo.ByID(4)},
	} {
		if _, err := lockedrepo.New[order](b.inner, b.locker, &o); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	o := lockedrepo.Options{Key: "k", Unfenced: true, Stripes: lockedrepo.ByID(4)}
	if _, err := lockedrepo.New[order](hidden{b.inner}, b.locker, &o); !errors.Is(err, repo.ErrUnsupported) {
		t.Errorf("a repository that hides its keys: %v", err)
	}
	for _, n := range []int{lockedrepo.MinStripes, lockedrepo.MaxStripes} {
		if _, err := lockedrepo.New[order](b.inner, b.locker, &lockedrepo.Options{Key: "k", Stripes: lockedrepo.ByFunc(n, total)}); err != nil {
			t.Errorf("%d: %v", n, err)
		}
	}
}
