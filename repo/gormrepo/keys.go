package gormrepo

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// identity is the key of it as a map key.
func (r *store) identity(it *item) any {
	if r.plainKey {
		return r.entity.Key[0].Value(it.val).Interface()
	}
	return identity(r.entity.KeyOf(it.val))
}

// keptIdentity is identity of the key as the database keeps it.
func (r *store) keptIdentity(it *item) any {
	return identity(r.kept(r.entity.KeyOf(it.val)))
}

// foldKey is the key of it or, while it is still to get one, the entity itself.
func (r *store) foldKey(it *item) any {
	if r.wantsKey(it.val) {
		return it.pointer()
	}
	return r.identity(it)
}

// wantsKey tells whether the entity has no key yet: it is zero, and zero is not
// a key that somebody assigned. Integers may be assigned zero, and the parts of
// a composite key too, but for those that the database makes.
func (r *store) wantsKey(e reflect.Value) bool {
	return r.unnumbered(e) || len(r.key) == 1 && !r.isInt && r.entity.Key[0].IsZero(e)
}

// unnumbered tells whether the database makes the key, or a part of it.
func (m *model) unnumbered(e reflect.Value) bool {
	return lo.SomeBy(m.made, func(f *schema.Field) bool {
		_, zero := f.ValueOf(context.Background(), e)
		return zero
	})
}

// giveKeys decides which items are new, and makes the keys that NewID makes.
func (r *store) giveKeys(ctx context.Context, items []*item) error {
	var bad failures
	var wanting []*item
	for _, it := range items {
		r.keepKey(it.val)
		wants := r.wantsKey(it.val)
		it.isNew = it.strict || r.entity.IsNew(it.val.Addr(), wants)
		it.was = r.entity.VersionOf(it.val)
		if wants {
			wanting = append(wanting, it)
		}
	}
	if r.sequence != nil && len(wanting) > 0 {
		return r.numberAll(ctx, wanting)
	}
	if r.opts.NewID == nil {
		return nil
	}
	for _, it := range wanting {
		if err := r.giveKey(ctx, it); err != nil {
			bad.add(it.index, nil, err)
		}
	}
	return bad.err()
}

// setsKeys tells whether giveKeys may change an entity.
func (r *store) setsKeys() bool { return r.sequence != nil || r.opts.NewID != nil || r.foldsKeys() }

// numberAll gives items keys of the sequence.
func (r *store) numberAll(ctx context.Context, items []*item) error {
	keys, err := r.takeKeys(ctx, len(items))
	if err != nil {
		return err
	}
	f := r.entity.Key[0]
	for i, it := range items {
		key, err := entity.ConvertID(keys[i], f.Type)
		if err != nil {
			return r.itemError(it, fmt.Errorf("the sequence %s: %w", r.sequence.Name, err))
		}
		f.Reach(it.val).Set(reflect.ValueOf(key))
	}
	return nil
}

func (r *store) giveKey(ctx context.Context, it *item) error {
	id, err := r.opts.NewID(it.contextOf(ctx))
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	f := r.entity.Key[0]
	if id, err = entity.ConvertID(id, f.Type); err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	f.Reach(it.val).Set(reflect.ValueOf(id))
	if f.IsZero(it.val) {
		return fmt.Errorf("%w: the key made by NewID is zero", repo.ErrInvalid)
	}
	return nil
}

// checkKeys finds the entities that nobody gave a key.
func (r *store) checkKeys(items []*item) error {
	if len(r.made) > 0 {
		return nil
	}
	var bad failures
	for _, it := range items {
		if r.wantsKey(it.val) {
			bad.add(it.index, nil, fmt.Errorf("%w: the key %s is not set", repo.ErrInvalid, r.entity.Key[0].Name))
		}
	}
	return bad.err()
}

// sortByKey puts items into some order of their keys, the same in every process.
func (r *store) sortByKey(items []*item) {
	sortByKey(r, items, func(it *item) *item { return it })
}

func sortByKey[E any](r *store, items []E, of func(E) *item) {
	if k := r.key[0].FieldType.Kind(); r.plainKey && k >= reflect.Int && k <= reflect.Int64 {
		slices.SortStableFunc(items, func(a, b E) int {
			return cmp.Compare(r.entity.Key[0].Value(of(a).val).Int(), r.entity.Key[0].Value(of(b).val).Int())
		})
		return
	}
	type keyed struct {
		key []any
		e   E
	}
	list := lo.Map(items, func(e E, _ int) keyed { return keyed{r.entity.KeyOf(of(e).val), e} })
	slices.SortStableFunc(list, func(a, b keyed) int { return compareKeys(a.key, b.key) })
	for i, k := range list {
		items[i] = k.e
	}
}

func compareKeys(a, b []any) int {
	for i, x := range a {
		if n := compareParts(reflect.ValueOf(x), reflect.ValueOf(b[i])); n != 0 {
			return n
		}
	}
	return 0
}

func compareParts(a, b reflect.Value) int {
	a, b = reflect.Indirect(a), reflect.Indirect(b)
	switch {
	case !a.IsValid() || !b.IsValid():
		return cmp.Compare(strconv.FormatBool(a.IsValid()), strconv.FormatBool(b.IsValid()))
	case a.CanInt():
		return cmp.Compare(a.Int(), b.Int())
	case a.CanUint():
		return cmp.Compare(a.Uint(), b.Uint())
	case a.Type() == reflect.TypeFor[string]():
		return cmp.Compare(a.String(), b.String())
	default:
		return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))
	}
}

// shownID is what an error calls e by, nil while it has no key.
func (r *store) shownID(e reflect.Value) any {
	return entity.ShownID(r.entity.KeyOf(e), r.wantsKey(e))
}

// takeKeys takes keys from the sequence of the repository.
func (r *store) takeKeys(ctx context.Context, n int) ([]int64, error) {
	on, apart := txconn.Unprepared(r.pool(ctx)), r.plainPool()
	joined := r.TxState(ctx) != driver.TxNone
	if pool, ok := apart.(*sql.DB); r.foreign || !ok || joined && pool.Stats().MaxOpenConnections == 1 {
		apart = nil
	}
	return r.sequence.take(ctx, n, on, apart)
}

func (r *store) keysOf(items []*item) [][]any {
	keys := make([][]any, len(items))
	for i, it := range items {
		keys[i] = r.kept(r.entity.KeyOf(it.val))
	}
	return keys
}

// sameKey refuses an entity whose key is not that of the row which was read.
func (r *store) sameKey(it *item) error {
	if r.identity(it) != it.key {
		return errKeyChanged()
	}
	return nil
}

func errKeyChanged() error { return fmt.Errorf("%w: the key was changed", repo.ErrInvalid) }

// itemError names the element of the caller's list in an error about it alone.
func (r *store) itemError(it *item, err error) error {
	if errors.As(err, new(*repo.BatchError)) {
		return err
	}
	var one failures
	one.add(it.index, r.shownID(it.val), r.classify(err))
	return one.err()
}

// folded leaves out items whose key comes again, unless all of them have to be written.
func (r *store) folded(all []*item) []*item {
	if len(all) < 2 || all[0].strict {
		return all
	}
	return lo.Map(entity.LastOfEach(all, r.foldKey), func(i, _ int) *item { return all[i] })
}

// FormOfID is the form of the key that id stands for; see driver.Keyer.
func (r *store) FormOfID(id any) (driver.KeyForm, error) {
	key, err := r.entity.KeyFromID(id)
	if err != nil {
		return driver.KeyForm{}, fmt.Errorf("gormrepo: id: %w", err)
	}
	return r.formOf(key), nil
}

func (r *store) formOf(key []any) driver.KeyForm {
	if lo.SomeBy(r.key, func(f *schema.Field) bool { return f.Serializer != nil }) {
		return driver.KeyForm{} // it can store two values as one
	}
	return driver.FormOfKey(key)
}
