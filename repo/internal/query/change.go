package query

import "reflect"

// Ref names a field of an entity.
type Ref struct {
	// Field is the name of the Go field, dotted inside nested structs.
	Field string
	// Owner is the type that the handle was made for, and ValueType that of its values.
	Owner, ValueType reflect.Type
}

// Handle is what names a field.
type Handle interface{ Ref() Ref }

// ChangeOp is what happens to the value of a field.
type ChangeOp string

// What can happen to a field.
const (
	ChangeSet      ChangeOp = "set"
	ChangeNull     ChangeOp = "set null"
	ChangeIncrease ChangeOp = "increase"
	ChangeDecrease ChangeOp = "decrease"
)

// Change is an assignment that is not checked yet.
type Change struct {
	Ref
	Op    ChangeOp
	Value any
}
