package devserver

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// FerretDB uses its index for a filter that is an _id of text or an ObjectID and
// nothing else. For any other it reads the whole collection, where MongoDB would
// read one document. A fenced write names the claims next to the _id, so the
// proxy, which has the turn, finds the document by its _id, compares the rest
// itself, and gives FerretDB the _id alone.

// narrowStatement gives a statement of an update a filter that FerretDB has an
// index for, where it can have one.
func (l *line) narrowStatement(cmd bson.D, statement any) (any, error) {
	doc, ok := documentOf(statement)
	if !ok {
		return statement, nil
	}
	elems, err := doc.Elements()
	if err != nil {
		return nil, err
	}
	st := lo.Map(elems, func(el bson.RawElement, _ int) bson.E { return bson.E{Key: el.Key(), Value: el.Value()} })
	return bson.D(st), l.narrowFilter(cmd, st, "q")
}

// narrowFilter does so for the filter that a statement, or a findAndModify, has
// under the key.
func (l *line) narrowFilter(cmd, in bson.D, key string) error {
	i := index(in, key)
	if i < 0 || index(in, "collation") >= 0 {
		return nil
	}
	filter, ok := documentOf(in[i].Value)
	if !ok {
		return nil
	}
	filter, err := l.narrow(cmd, filter)
	if err == nil {
		in[i].Value = filter
	}
	return err
}

func documentOf(v any) (bson.Raw, bool) {
	switch v := v.(type) {
	case bson.Raw:
		return v, true
	case bson.RawValue:
		return v.DocumentOK()
	}
	return nil, false
}

func index(doc bson.D, key string) int {
	return slices.IndexFunc(doc, func(el bson.E) bool { return el.Key == key })
}

// narrow returns the filter as its _id alone where that selects the same, and
// the filter as it is everywhere else.
func (l *line) narrow(cmd bson.D, filter bson.Raw) (bson.Raw, error) {
	id, rest, ok := splitID(filter)
	if !ok {
		return filter, nil
	}
	doc, err := l.find(cmd, id)
	if err != nil {
		return nil, err
	}
	if doc == nil {
		if ok = !setsFields(rest); !ok {
			return filter, nil
		}
	} else if matches(doc, rest) != yes {
		return filter, nil // FerretDB says so itself
	}
	return bson.Marshal(bson.D{{Key: "_id", Value: id}})
}

// find returns the document with the id, or nil.
func (l *line) find(cmd bson.D, id bson.RawValue) (bson.Raw, error) {
	db := index(cmd, "$db")
	if db < 0 {
		return nil, errBadMessage
	}
	res, err := l.run(bson.D{
		{Key: "find", Value: cmd[0].Value},
		{Key: "filter", Value: bson.D{{Key: "_id", Value: id}}},
		cmd[db],
	})
	if err != nil {
		return nil, err
	}
	body, err := res.raw.body()
	if err != nil {
		return nil, err
	}
	doc, _ := body.Lookup("cursor", "firstBatch", "0").DocumentOK()
	return doc, nil
}

// splitID takes an _id that FerretDB has an index for out of a filter that
// begins with it and says more.
func splitID(filter bson.Raw) (id bson.RawValue, rest []bson.RawElement, ok bool) {
	elems, err := filter.Elements()
	if err != nil || len(elems) < 2 || elems[0].Key() != "_id" {
		return id, nil, false
	}
	id = elems[0].Value()
	return id, elems[1:], id.Type == bson.TypeString || id.Type == bson.TypeObjectID
}

// setsFields tells whether FerretDB makes fields of the conditions in an upsert,
// as it does of those that name a value.
func setsFields(conditions []bson.RawElement) bool {
	return slices.ContainsFunc(conditions, func(c bson.RawElement) bool {
		_, ok := operators(c.Value())
		return !ok && !strings.HasPrefix(c.Key(), "$")
	})
}

// verdict tells whether a document fulfils a condition.
type verdict int

const (
	no verdict = iota
	yes
	unknown // only FerretDB can tell
)

func verdictOf(match bool) verdict {
	if match {
		return yes
	}
	return no
}

// matches tells whether a document fulfils all conditions.
func matches(doc bson.Raw, conditions []bson.RawElement) verdict {
	for _, c := range conditions {
		if v := matchesOne(doc, c); v != yes {
			return v
		}
	}
	return yes
}

func matchesOne(doc bson.Raw, c bson.RawElement) verdict {
	switch c.Key() {
	case "$and":
		return matchesList(doc, c, no)
	case "$or":
		return matchesList(doc, c, yes)
	}
	field, err := doc.LookupErr(strings.Split(c.Key(), ".")...)
	missing := err != nil
	ops, ok := operators(c.Value())
	if !ok {
		order, known := compare(field, c.Value(), missing)
		return lo.Ternary(known, verdictOf(order == 0), unknown)
	}
	for _, op := range ops {
		if v := operate(field, op, missing); v != yes {
			return v
		}
	}
	return yes
}

// matchesList joins alternatives, of which the first with the verdict decides.
func matchesList(doc bson.Raw, c bson.RawElement, decides verdict) verdict {
	list, _ := c.Value().ArrayOK()
	values, err := list.Values()
	if err != nil {
		return unknown
	}
	for _, value := range values {
		alternative, _ := value.DocumentOK()
		elems, err := alternative.Elements()
		if err != nil {
			return unknown
		}
		if v := matches(doc, elems); v == decides || v == unknown {
			return v
		}
	}
	return verdictOf(decides == no)
}

// operators are those of a condition that compares by more than equality.
func operators(v bson.RawValue) ([]bson.RawElement, bool) {
	doc, ok := v.DocumentOK()
	if !ok {
		return nil, false
	}
	elems, err := doc.Elements()
	return elems, err == nil && len(elems) > 0 && strings.HasPrefix(elems[0].Key(), "$")
}

func operate(field bson.RawValue, op bson.RawElement, missing bool) verdict {
	switch op.Key() {
	case "$exists":
		if want, ok := op.Value().BooleanOK(); ok {
			return verdictOf(want != missing)
		}
	case "$not":
		inner, ok := operators(op.Value())
		if !ok || len(inner) != 1 {
			return unknown
		}
		if v := operate(field, inner[0], missing); v != unknown {
			return verdictOf(v == no)
		}
	case "$lt", "$gt":
		order, known := compare(field, op.Value(), missing)
		if known && op.Value().Type != bson.TypeString {
			return verdictOf(!missing && order == lo.Ternary(op.Key() == "$lt", -1, 1))
		}
	}
	return unknown
}

// compare orders a field and a value of the kinds that a fence has: numbers without
// a fraction, and texts. A missing field is after every value. It knows no others.
func compare(field, value bson.RawValue, missing bool) (order int, known bool) {
	a, aNumber := field.AsInt64OK()
	b, bNumber := value.AsInt64OK()
	switch {
	case isFraction(field) || isFraction(value):
		return 0, false
	case missing && (bNumber || value.Type == bson.TypeString):
		return 1, true
	case aNumber && bNumber:
		return cmp.Compare(a, b), true
	case field.Type == bson.TypeString && value.Type == bson.TypeString:
		return bytes.Compare(field.Value, value.Value), true
	}
	return 0, false
}

// isFraction tells whether it is a number that may have a fraction.
func isFraction(v bson.RawValue) bool {
	return v.Type == bson.TypeDouble || v.Type == bson.TypeDecimal128
}
