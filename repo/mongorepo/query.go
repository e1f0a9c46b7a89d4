package mongorepo

import (
	"fmt"
	"reflect"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// filter translates the conditions of q and adds the rule for deleted ones.
func (r *Repository[T]) filter(q driver.Query) (bson.D, error) {
	var all bson.A
	if live := r.live(); live != nil {
		all = append(all, live)
	}
	conds, err := r.conjunction(q.Where)
	if err != nil {
		return nil, err
	}
	if len(conds) > 0 {
		raw, err := fits(conds)
		if err != nil {
			return nil, err
		}
		all = append(all, raw)
	}
	for _, n := range q.Native {
		switch n := n.(type) {
		case bson.D, bson.M:
			if !reflect.ValueOf(n).IsNil() {
				all = append(all, n)
			}
		default:
			return nil, fmt.Errorf("%w: native option %T, want a filter as bson.D or bson.M", repo.ErrUnsupported, n)
		}
	}
	// Every condition is a document of its own: two conditions on one field
	// would be a key given twice, of which only one may count.
	switch len(all) {
	case 0:
		return bson.D{}, nil
	default:
		return bson.D{{Key: "$and", Value: all}}, nil
	}
}

func (r *Repository[T]) conjunction(conds []driver.Cond) (bson.A, error) {
	list := make(bson.A, len(conds))
	for i, c := range conds {
		f, err := r.condition(c)
		if err != nil {
			return nil, err
		}
		list[i] = f
	}
	return list, nil
}

func (r *Repository[T]) condition(c driver.Cond) (bson.D, error) {
	switch c.Op {
	case driver.OpAnd, driver.OpOr:
		return r.junction(c)
	}
	path, isKey, err := r.layout.field(c.Field)
	if err != nil {
		return nil, err
	}
	isKey = isKey || r.isReference(path)
	switch c.Op {
	case driver.OpNull:
		return test(path, "$eq", nil), nil
	case driver.OpNotNull:
		return test(path, "$ne", nil), nil
	case driver.OpPrefix, driver.OpContains, driver.OpSuffix:
		text, _ := c.Value.(string)
		return matching(path, c, text), nil
	case driver.OpIn, driver.OpNotIn:
		return r.membership(path, isKey, c)
	}
	v, ok, err := r.comparand(c.Value, isKey)
	if err != nil {
		return nil, err
	}
	if !ok { // nothing compares with null
		return nothing(), nil
	}
	if c.IgnoreCase {
		return folded(path, c)
	}
	if c.Op == driver.OpNe {
		return test(path, "$nin", bson.A{v, nil}), nil
	}
	op, ok := map[driver.Op]string{
		driver.OpEq: "$eq", driver.OpLt: "$lt", driver.OpLe: "$lte", driver.OpGt: "$gt", driver.OpGe: "$gte",
	}[c.Op]
	if !ok {
		return nil, fmt.Errorf("%w: comparison %q", repo.ErrUnsupported, c.Op)
	}
	return test(path, op, v), nil
}

func (r *Repository[T]) junction(c driver.Cond) (bson.D, error) {
	if len(c.Sub) == 0 { // MongoDB refuses an empty list
		if c.Op == driver.OpOr {
			return nothing(), nil
		}
		return bson.D{}, nil
	}
	list, err := r.conjunction(c.Sub)
	op := "$" + string(c.Op)
	return bson.D{{Key: op, Value: list}}, err
}

func (r *Repository[T]) membership(path string, isKey bool, c driver.Cond) (bson.D, error) {
	values, ok := c.Value.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: in of %T", repo.ErrInvalid, c.Value)
	}
	list, alternatives := bson.A{}, bson.A{}
	for _, v := range values {
		enc, ok, err := r.comparand(v, isKey)
		switch {
		case err != nil:
			return nil, err
		case ok:
			list = append(list, enc)
			alternatives = append(alternatives, bson.D{{Key: path, Value: foldedText(v)}})
		case c.Op == driver.OpNotIn: // nothing compares with null
			return nothing(), nil
		}
	}
	switch {
	case len(list) == 0:
		return nothing(), nil
	case c.IgnoreCase && c.Op == driver.OpIn:
		return bson.D{{Key: "$or", Value: alternatives}}, nil
	case c.IgnoreCase:
		return bson.D{{Key: path, Value: bson.D{{Key: "$ne", Value: nil}}}, {Key: "$nor", Value: alternatives}}, nil
	case c.Op == driver.OpNotIn:
		return test(path, "$nin", append(list, nil)), nil
	default:
		return in(path, list), nil
	}
}

// comparand encodes what a field is compared with; ok is false for null.
func (r *Repository[T]) comparand(v any, isKey bool) (enc bson.RawValue, ok bool, err error) {
	if isKey {
		v = r.hexID(v)
	}
	enc, err = r.codec.value(v)
	return enc, err == nil && enc.Type != bson.TypeNull, err
}

// findOptions are the order and the cut of q. The key comes last in the order,
// so that pages do not overlap.
func (r *Repository[T]) findOptions(q driver.Query) (*options.FindOptionsBuilder, error) {
	opts := options.Find()
	if q.Limit > 0 {
		opts.SetLimit(int64(q.Limit))
	}
	if q.Offset > 0 {
		opts.SetSkip(int64(q.Offset))
	}
	var sort bson.D
	seen := map[string]bool{}
	for _, o := range q.Orders {
		path, _, err := r.layout.field(o.Field)
		if err != nil {
			return nil, err
		}
		if seen[path] { // a later order of the same field cannot change anything
			continue
		}
		if o.NullsAtEnd() != o.Desc {
			return nil, fmt.Errorf("%w: field %s: MongoDB sorts null as the smallest value", repo.ErrUnsupported, o.Field)
		}
		seen[path] = true
		sort = append(sort, bson.E{Key: path, Value: direction(o.Desc)})
	}
	if (len(sort) > 0 || q.Limit > 0 || q.Offset > 0) && !seen["_id"] {
		sort = append(sort, bson.E{Key: "_id", Value: 1})
	}
	if len(sort) > 0 {
		opts.SetSort(sort)
	}
	fields, err := r.projection(q.Fields)
	if err != nil {
		return nil, err
	}
	if len(fields) > 0 {
		opts.SetProjection(fields)
	}
	return opts, nil
}

// projection has the server send some fields only, and the key. A type with a decoder of
// its own gets the whole document.
func (r *Repository[T]) projection(fields []string) (bson.D, error) {
	var paths []string
	for _, name := range fields {
		path, isKey, err := r.layout.field(name)
		if err != nil {
			return nil, err
		}
		if !isKey {
			paths = append(paths, path)
		}
	}
	if fields == nil || r.layout.opaque {
		return nil, nil
	}
	// The server refuses a path next to one that it is part of.
	paths = lo.Filter(lo.Uniq(paths), func(path string, _ int) bool {
		return !lo.SomeBy(paths, func(other string) bool { rest, below := cutPath(path, other); return below && rest != "" })
	})
	return append(bson.D{{Key: "_id", Value: 1}}, lo.Map(paths, func(path string, _ int) bson.E { return bson.E{Key: path, Value: 1} })...), nil
}

func direction(desc bool) int {
	if desc {
		return -1
	}
	return 1
}
