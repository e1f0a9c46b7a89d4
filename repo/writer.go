package repo

import (
	"context"
	"reflect"

	"github.com/holdfast-go/holdfast/repo/internal/query"
)

// Store is a repository with all that a service writes by: what the fields of a service
// hold. The repositories of Holdfast are one, locked ones too.
//
//	type Orders struct{ orders repo.Store[Order] }
type Store[T any] interface {
	Repository[T]
	Updater[T]
	Transactor
	ChunkSaver[T]
	Writer[T]
}

// Writer is a repository that writes in more ways than Save and Delete do. See [As] and
// [Store].
//
// Where it lists several elements or entities, all are written or none on SQL and in
// memory. On MongoDB outside of a transaction what a *BatchError does not name is written.
// After an error entities are as they were but for their times.
type Writer[T any] interface {
	// Insert inserts the entities, whatever their IsNew or version say, with the first
	// version. A generated key, the times and the version are written back. A key that is
	// stored, under a deletion mark too, or that an earlier entity of the list has, is
	// ErrDuplicateKey, and so is a broken unique index. The error is a *BatchError where
	// the element is known, also for a list of one.
	Insert(ctx context.Context, es ...*T) error

	// InsertIfAbsent inserts the entities whose key is not stored, as Insert does, and
	// returns them in their order. Where a key is stored, under a deletion mark too, or an
	// earlier entity of the list has it, the stored entity and the given one stay as they are. A
	// broken unique index is ErrDuplicateKey.
	InsertIfAbsent(ctx context.Context, es ...*T) ([]*T, error)

	// UpsertBy saves the entities by a natural key: the fields by. An entity whose values
	// of these fields are stored gets the key, the version and the creation time that are
	// stored, and overwrites what is stored in any version, as Save does, and counts its
	// version up. Any other entity is inserted as by Insert. Values are compared exactly,
	// as [Condition] says. Entities that are marked as deleted are not found.
	//
	// ErrInvalid for no fields, a field twice, fields of another type and those that only
	// the repository writes; in a *BatchError for an entity without a value in one of the
	// fields, and for one whose values an earlier entity of the list has. ErrDuplicateKey
	// where two stored entities have the values of one. Without a unique index on the
	// fields two writers that do not share a lock can both insert.
	UpsertBy(ctx context.Context, es []*T, by ...Handle) (Upserted, error)

	// UpdateWhere assigns to the fields of all entities that satisfy the condition, by one
	// statement, and returns how many there were. It sets the updated times, counts the
	// versions up, and leaves entities that are marked as deleted alone. No hook and no
	// method of an entity runs.
	//
	// ErrInvalid for a condition that always holds, such as And(): use one that says what
	// is meant. ErrInvalid for no assignment, two to one field, a field of another type, a value that the field
	// cannot hold, and a field that is part of the key or that only the repository writes.
	// ErrInvalid, with nothing written, where an increase would leave the range of the
	// field's type in one of the entities. ErrDuplicateKey for a broken unique index.
	UpdateWhere(ctx context.Context, where Condition, set ...Assignment) (int64, error)

	// DeleteWhere deletes all entities that satisfy the condition, as DeleteAllByID does
	// those with the ids, and returns how many there were. A condition that always holds
	// is ErrInvalid. No hook runs.
	DeleteWhere(ctx context.Context, where Condition) (int64, error)

	// Restore takes the deletion mark off the entities with the ids, sets their updated
	// times, counts their versions up, and returns how many there were. An id whose entity
	// is absent or not marked is no error. No ids restore nothing. A bad id is reported in a
	// *BatchError. ErrInvalid for a type without a deletion mark.
	Restore(ctx context.Context, ids ...any) (int64, error)
}

// Upserted says what UpsertBy did.
type Upserted struct {
	// Inserted entities were not stored before, and Updated ones were.
	Inserted, Updated int64
}

// Handle names a field of an entity type. A [Field] is one, whatever its values are.
type Handle = query.Handle

// Assignment says what UpdateWhere does with a field. Field handles make assignments.
type Assignment struct{ change query.Change }

// AddTo adds the assignment to a list.
func (a Assignment) AddTo(list *[]query.Change) { *list = append(*list, a.change) }

// Ref names the field, for UpsertBy.
func (f Field[T, V]) Ref() query.Ref {
	return query.Ref{Field: f.name, Owner: reflect.TypeFor[T](), ValueType: reflect.TypeFor[V]()}
}

// Set gives the field the value. A nil v is SetNull.
func (f Field[T, V]) Set(v V) Assignment {
	return Assignment{query.Change{Ref: f.Ref(), Op: query.ChangeSet, Value: v}}
}

// SetNull takes the value of the field away: NULL in SQL, null or absent in MongoDB, nil
// in memory. The field must be one that can be without a value in Go.
func (f Field[T, V]) SetNull() Assignment {
	return Assignment{query.Change{Ref: f.Ref(), Op: query.ChangeNull}}
}

// Increase adds to the value of a field. UpdateWhere leaves entities alone whose field has
// no value. The field must be a number of Go, or a pointer to one.
//
//	n, err := products.UpdateWhere(ctx, sku.Eq("a"), repo.Increase(stock, 10))
func Increase[T any, V Number](f Field[T, V], by V) Assignment {
	return Assignment{query.Change{Ref: f.Ref(), Op: query.ChangeIncrease, Value: by}}
}

// Decrease subtracts from the value of a field, as Increase adds to it.
func Decrease[T any, V Number](f Field[T, V], by V) Assignment {
	return Assignment{query.Change{Ref: f.Ref(), Op: query.ChangeDecrease, Value: by}}
}
