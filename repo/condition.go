package repo

import (
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/internal/query"
)

// Condition is an Option that holds for an entity or does not. Field handles make
// conditions; And, Or and Not put them together to any depth.
//
// A comparison of a field that has no value (NULL in SQL, null or absent in MongoDB, a
// nil pointer in memory) neither holds nor does its negation, as in SQL: neither Eq(1)
// nor Ne(1) nor Not(Eq(1)) finds the entity. Only Null does.
//
// Text is compared by its characters: case and trailing spaces count, whatever the
// collation of the database is. The order of text, for Lt and the like and for sorting, is
// that of the database's collation, and by bytes on MongoDB and in memory.
type Condition struct{ cond query.Cond }

// AddTo adds the condition to a query.
func (c Condition) AddTo(q *query.Query) { q.Where = append(q.Where, c.cond) }

// And holds when all the conditions do. Without any it always holds.
func And(conds ...Condition) Condition { return joined(query.OpAnd, conds) }

// Or holds when at least one of the conditions does. Without any it never holds.
func Or(conds ...Condition) Condition { return joined(query.OpOr, conds) }

// Not holds when the condition fails. It does not hold where a comparison in the
// condition decides and its field has no value; see Condition.
func Not(cond Condition) Condition { return joined(query.OpNot, []Condition{cond}) }

func joined(op query.Op, conds []Condition) Condition {
	return Condition{query.Cond{Op: op, Sub: lo.Map(conds, func(c Condition, _ int) query.Cond { return c.cond })}}
}

// IgnoreCase compares text without regard to case: the lower-case forms are compared. It
// applies to every comparison in the condition; one of a field that is no text is
// ErrInvalid. Null and NotNull stay as they are.
//
// SQLite folds the letters A to Z only: a value with other letters that have two cases is
// ErrUnsupported there. On MongoDB, Lt, Le, Gt, Ge and Between are ErrUnsupported. An
// ordinary index does not help such a comparison.
func (c Condition) IgnoreCase() Condition { return Condition{ignoreCase(c.cond)} }

func ignoreCase(c query.Cond) query.Cond {
	c.IgnoreCase, c.Sub = true, slices.Clone(c.Sub)
	for i := range c.Sub {
		c.Sub[i] = ignoreCase(c.Sub[i])
	}
	return c
}
