package mongorepo

import (
	"context"
	"fmt"
	"math"
	"reflect"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/actor"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
)

// changing is an update of several documents.
type changing struct {
	update bson.D
	// leaves is a filter for documents that an addition takes out of its range, one for
	// each, with the error.
	leaves []bound
}

type bound struct {
	filter bson.D
	err    error
}

// changing makes the update that changes fields as Save would write them, sets the updated
// times and counts the version up.
func (r *Repository[T]) changing(ctx context.Context, changes []driver.Change) (*changing, error) {
	if r.layout.opaque {
		return nil, fmt.Errorf("%w: fields of %s cannot be written one by one: it has an encoder of its own, or an inline map", repo.ErrUnsupported, r.ent.Type)
	}
	c := &changing{}
	e := new(T)
	fields := make([]*entity.Field, 0, len(changes))
	var more bson.D
	for _, ch := range changes {
		path, _, err := r.layout.field(ch.Field)
		if err != nil {
			return nil, err
		}
		if ch.Add == nil {
			if err := ch.Apply(valueOf(e)); err != nil {
				return nil, err
			}
			fields = append(fields, &entity.Field{Index: ch.Index})
			continue
		}
		more = append(more, bson.E{Key: path, Value: summand(ch)})
		c.leaves = append(c.leaves, bound{outOfRange(path, ch), ch.OutOfRange()})
	}
	by := actor.From(ctx)
	if err := r.ent.StampUpdated(valueOf(e), r.now(), by); err != nil {
		return nil, err
	}
	fields = append(fields, lo.Reject(r.ent.Updated, func(f *entity.Field, _ int) bool { return f.ByActor && by == nil })...)
	set, unset, err := r.assignments(e, fields)
	if err != nil {
		return nil, err
	}
	if r.ent.Version != nil {
		more = append(more, bson.E{Key: r.layout.version, Value: 1})
	}
	c.update = command.SetUnset(set, unset)
	if len(more) > 0 {
		c.update = append(c.update, bson.E{Key: "$inc", Value: more})
	}
	return c, nil
}

// assignments write some fields of e.
func (r *Repository[T]) assignments(e *T, fields []*entity.Field) (set, unset bson.D, err error) {
	elems, err := r.encodeFields(e)
	if err != nil {
		return nil, nil, err
	}
	doc := &document{fields: elems}
	for _, f := range fields {
		path, err := r.layout.path(f.Index)
		if err != nil {
			return nil, nil, err
		}
		if v, ok := doc.lookup(path); ok {
			set = append(set, bson.E{Key: path, Value: v})
		} else { // the codec leaves it out
			unset = append(unset, bson.E{Key: path, Value: ""})
		}
	}
	return set, unset, nil
}

// summand is what an addition adds. A short one leaves a short integer as it is.
func summand(ch driver.Change) any {
	if n, ok := ch.Add.By.(int64); ok && n >= math.MinInt32 && n <= math.MaxInt32 {
		return int32(n)
	}
	return ch.Add.By
}

// outOfRange is a filter for documents that the addition takes out of the range. A document
// without the field has a zero there.
func outOfRange(path string, ch driver.Change) bson.D {
	beyond := test(path, lo.Ternary(ch.Add.Falls, "$lt", "$gt"), ch.Add.Bound)
	t := entity.Deref(ch.Value.Type())
	if ch.Value.Kind() == reflect.Pointer || !ch.Add.Leaves(reflect.Zero(t)) {
		return beyond
	}
	return bson.D{{Key: "$or", Value: bson.A{beyond, bson.D{{Key: path, Value: nil}}}}}
}
