package query

import (
	"context"
	"iter"
)

// Reader is a repository that reads more than lists of whole entities. The functions
// Stream, Project and Sum of package repo are built on it, and windows and pages ask it
// for the key.
type Reader[T any] interface {
	// KeyFields names the fields of the key, as options name fields. It may be empty:
	// then the type tells.
	KeyFields() []string

	// Stream yields the entities that Find would return, in the same order, without
	// having all of them in memory. What it reads from is closed when the loop ends,
	// however it ends. An error is yielded once, without an entity, and is the last.
	// In a transaction and under a fence it may read all entities first.
	Stream(ctx context.Context, q ...Option) iter.Seq2[*T, error]

	// Aggregate returns one row for each group of the entities that satisfy the
	// conditions of a.
	Aggregate(ctx context.Context, a Aggregation) ([][]any, error)
}

// ColumnFunc is what an aggregation makes of the values of a group.
type ColumnFunc string

// The functions of columns. FuncKey gives the value that the group has in common.
const (
	FuncKey   ColumnFunc = ""
	FuncCount ColumnFunc = "count"
	FuncSum   ColumnFunc = "sum"
	FuncMin   ColumnFunc = "min"
	FuncMax   ColumnFunc = "max"
)

// Column is one value of a row.
type Column struct {
	// Func is what is made of the field. Fields that are missing a value do not count.
	//
	// FuncKey gives a value of the field's type without pointers, or nil. FuncCount
	// gives an int64, of entities. FuncSum gives an int64 for integers and else a
	// float64; it is 0 without values, and ErrUnsupported when it does not fit.
	// FuncMin and FuncMax give what FuncKey does, and nil without values.
	Func ColumnFunc
	// Field is the name of the Go field, dotted inside nested structs. It is empty for
	// FuncCount.
	Field string
}

// ColumnOrder sorts rows by one of their columns.
type ColumnOrder struct {
	// Column is an index of Aggregation.Columns.
	Column int
	// Order says in which direction. Its Field is that of the column.
	Order
}

// Aggregation asks for groups of entities. Entities that agree in all columns with
// FuncKey are a group; a missing value agrees with a missing value. Without such a column
// there is one group, which may be empty.
type Aggregation struct {
	Columns []Column
	// Orders holds the sort keys, the first one first.
	Orders []ColumnOrder
	// Limit is the largest number of rows; 0 means no limit.
	Limit int
	// Offset is how many rows are skipped first.
	Offset int
	// Options hold the conditions.
	Options []Option
}
