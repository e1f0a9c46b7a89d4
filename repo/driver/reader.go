package driver

import (
	"iter"

	"github.com/holdfast-go/holdfast/repo/internal/query"
)

// Reader is a repository that reads more than lists of whole entities; see there.
type Reader[T any] = query.Reader[T]

// What an aggregation consists of.
type (
	// Aggregation asks for groups of entities.
	Aggregation = query.Aggregation
	// Column is one value of a row.
	Column = query.Column
	// ColumnOrder sorts rows by one of their columns.
	ColumnOrder = query.ColumnOrder
	// ColumnFunc is what an aggregation makes of the values of a group.
	ColumnFunc = query.ColumnFunc
)

// The functions of columns.
const (
	FuncKey   = query.FuncKey
	FuncCount = query.FuncCount
	FuncSum   = query.FuncSum
	FuncMin   = query.FuncMin
	FuncMax   = query.FuncMax
)

// Yield makes a stream of what find returns. It is called when the loop begins.
func Yield[T any](find func() ([]*T, error)) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		found, err := find()
		if err != nil {
			yield(nil, err)
			return
		}
		for _, e := range found {
			if !yield(e, nil) {
				return
			}
		}
	}
}
