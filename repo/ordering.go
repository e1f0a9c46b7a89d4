package repo

import (
	"fmt"
	"reflect"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/internal/query"
)

// gathered puts options together, without the checks that need the store.
func gathered(q []Option) (query.Query, error) {
	var all query.Query
	for _, o := range q {
		if o == nil {
			return all, fmt.Errorf("%w: nil query option", ErrInvalid)
		}
		o.AddTo(&all)
	}
	if len(all.Bad) > 0 {
		return all, all.Bad[0]
	}
	return all, nil
}

// completed returns the options together, with the sort keys completed by the fields of
// the key, so that no two entities are equal; missing adds those that were not there. It
// refuses a Limit and an Offset.
func completed[T any](r Repository[T], q []Option) (all query.Query, missing Option, err error) {
	if all, err = gathered(q); err != nil {
		return all, nil, err
	}
	if all.Limit != 0 || all.Offset != 0 {
		return all, nil, fmt.Errorf("%w: a limit or offset in addition to the size", ErrInvalid)
	}
	key, err := keyFields(r)
	if err != nil {
		return all, nil, err
	}
	var added []query.Order
	for _, name := range key {
		if !lo.ContainsBy(all.Orders, func(o query.Order) bool { return o.Field == name }) {
			added = append(added, query.Order{Field: name, Owner: reflect.TypeFor[T]()})
		}
	}
	all.Orders = append(all.Orders, added...)
	return all, query.Func(func(q *query.Query) { q.Orders = append(q.Orders, added...) }), nil
}
