package driver

import (
	"fmt"
	"reflect"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/query"
	"github.com/holdfast-go/holdfast/repo/internal/values"
)

// Update is what UpdateWhere was asked for, checked.
type Update struct {
	// Where holds the conditions; an entity must meet all of them.
	Where []Cond
	// Changes are those of different fields.
	Changes []Change
}

// Change is what happens to one field.
type Change struct {
	// Field is the name of the Go field, dotted inside nested structs, and Index its path.
	Field string
	Index []int
	// Value is what the field gets, of the field's own type.
	Value reflect.Value
	// Add is what is added instead; nil where a value is set.
	Add *Addition
}

// CompileUpdate checks what UpdateWhere of a repository of the entity type t was given:
// see repo.Writer for what is ErrInvalid. Fields that only the backend knows to be its own
// it has to refuse itself. The conditions come as from Compile, with one more for each
// addition to a field that can be without a value: it has to have one.
func CompileUpdate(t reflect.Type, where repo.Condition, set []repo.Assignment) (Update, error) {
	var u Update
	var changes []query.Change
	for _, a := range set {
		a.AddTo(&changes)
	}
	if len(changes) == 0 {
		return u, fmt.Errorf("%w: no assignment", repo.ErrInvalid)
	}
	for _, c := range changes {
		change, err := compileChange(t, c)
		if err != nil {
			return u, err
		}
		if other, ok := lo.Find(u.Changes, func(o Change) bool { return entity.Overlaps(o.Index, change.Index) }); ok {
			return u, fmt.Errorf("%w: two assignments to field %s of %s", repo.ErrInvalid, other.Field, t)
		}
		u.Changes = append(u.Changes, change)
	}
	var err error
	if u.Where, err = CompileWhere(t, where); err != nil {
		return u, err
	}
	for i, c := range changes {
		if u.Changes[i].Add != nil && nullable(u.Changes[i].Value.Type()) {
			u.Where = append(u.Where, Cond{Field: c.Field, Op: OpNotNull, Owner: t, ValueType: c.ValueType})
		}
	}
	return u, nil
}

// CompileWhere checks the condition of a call that writes what satisfies it. ErrInvalid for
// one that always holds.
func CompileWhere(t reflect.Type, where repo.Condition) ([]Cond, error) {
	q, err := CompileFor(t, where)
	if err != nil {
		return nil, err
	}
	if len(q.Where) == 0 {
		return nil, fmt.Errorf("%w: a condition that always holds", repo.ErrInvalid)
	}
	return q.Where, nil
}

func compileChange(t reflect.Type, c query.Change) (Change, error) {
	if c.Op == "" {
		return Change{}, fmt.Errorf("%w: an empty assignment", repo.ErrInvalid)
	}
	if _, err := resolve(t, c.Owner, c.Field); err != nil {
		return Change{}, err
	}
	f, _ := entity.FieldByName(t, c.Field)
	out := Change{Field: c.Field, Index: f.Index, Value: reflect.New(f.Type).Elem()}
	if !entity.Compares(c.ValueType, f.Type) {
		return out, fmt.Errorf("%w: field %s of %s is a %s, assigned as a %s", repo.ErrInvalid, c.Field, t, f.Type, c.ValueType)
	}
	if err := RefuseDuty(t, c.Field); err != nil {
		return out, err
	}
	fail := func(err error) (Change, error) {
		return out, fmt.Errorf("%s of field %s of %s: %w", c.Op, c.Field, t, err)
	}
	switch c.Op {
	case query.ChangeIncrease, query.ChangeDecrease:
		var err error
		if out.Add, err = newAddition(f.Type, c); err != nil {
			return fail(err)
		}
		return out, nil
	case query.ChangeSet:
		if v, ok := values.Plain(reflect.ValueOf(c.Value)); ok {
			if err := assign(out.Value, reflect.ValueOf(c.Value), v); err != nil {
				return fail(err)
			}
			return out, nil
		}
	case query.ChangeNull:
	}
	if !nullable(f.Type) {
		return fail(fmt.Errorf("%w: it cannot be without a value", repo.ErrInvalid))
	}
	return out, nil
}

// assign puts v, which is plain without pointers, into a new variable.
func assign(to, v, plain reflect.Value) error {
	if v.Type() == to.Type() {
		to.Set(v)
		return nil
	}
	return values.Assign(to, plain)
}

// RefuseDuty is ErrInvalid for a field of the entity type t that is part of the key or that
// only a repository writes, as far as the type tells.
func RefuseDuty(t reflect.Type, name string) error {
	ent, err := entity.Parse(t)
	if err != nil {
		return nil //nolint:nilerr // the backend knows the key, and checks by itself
	}
	f, ok := entity.FieldByName(t, name)
	if !ok {
		return fmt.Errorf("%w: %s has no field %q", repo.ErrInvalid, t, name)
	}
	return refuseDuty(ent, f.Index, name)
}

func refuseDuty(ent *entity.Entity, index []int, name string) error {
	if duty := ent.Duty(index); duty != "" {
		return fmt.Errorf("%w: field %s of %s is its %s", repo.ErrInvalid, name, ent.Type, duty)
	}
	return nil
}

// nullable tells whether a field of the type can be without a value.
func nullable(t reflect.Type) bool {
	_, ok := values.Plain(reflect.Zero(t))
	return !ok
}

// Apply makes the change in e, a struct that can be set. An addition that would leave the
// range of the field's type is ErrInvalid, and one to a missing value does nothing.
func (c Change) Apply(e reflect.Value) error {
	f := (&entity.Field{Index: c.Index}).Reach(e)
	if c.Add == nil {
		f.Set(c.Value)
		return nil
	}
	for f.Kind() == reflect.Pointer {
		if f.IsNil() {
			return nil
		}
		old := f.Elem()
		f.Set(reflect.New(f.Type().Elem()))
		f.Elem().Set(old)
		f = f.Elem()
	}
	if c.Add.Leaves(f) {
		return c.OutOfRange()
	}
	c.Add.to(f)
	return nil
}

// OutOfRange is the error of an addition that an entity is not the right one for.
func (c Change) OutOfRange() error {
	return fmt.Errorf("%w: field %s would leave the range of its type", repo.ErrInvalid, c.Field)
}
