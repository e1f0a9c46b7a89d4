package repo

import "context"

// Repository stores entities of type T by their key. All methods may be called
// concurrently. A context that is done makes every method return an error that
// matches the context's, and nothing is written.
//
// An entity is new when, in this order: its method IsNew() bool says so; its
// version field is zero; its key is one that the store generates and is zero.
// The first of the three that the type has decides.
//
// The functions FindOne, Exists, FindPage, FindWindow, Stream, Pluck, Project, Sum, Min and
// Max read more than Find and Count do, and Writer has what writes more than Save and
// Delete do.
type Repository[T any] interface {
	// Save inserts e when it is new and otherwise inserts or overwrites the
	// entity with its key, every column of it except the creation time. A
	// generated key, the times and the version are written back to e. It
	// returns ErrInvalid for nil, ErrDuplicateKey for a broken unique index,
	// ErrStale when another version is stored or the entity with a version is
	// gone, and ErrNotFound when the stored entity is marked as deleted. After
	// an error nothing was written, and e is as it was but for its times.
	Save(ctx context.Context, e *T) error

	// SaveAll does the same for every element, in batches. None is no error.
	// When a key occurs twice, the later element is stored. Elements that take
	// unique values over from others of the list may be ErrDuplicateKey: that
	// depends on the order in which a store writes them. The error is a
	// *BatchError that names the failed elements where they are known. On SQL
	// stores all are written or none; on MongoDB those not named in the error
	// are written.
	SaveAll(ctx context.Context, es []*T) error

	// SmartSave decodes the documents and saves them as SaveAll does, or
	// merges them into what is stored: see Replace, Merge and MergeNonNull. It
	// returns the saved entities in the order of the documents. The whole list
	// is decoded first: an empty one is ErrEmptySave, one beyond the caps is
	// ErrTooMany, and bad documents are reported all together in a *BatchError
	// with index and JSON pointer; then nothing was written.
	SmartSave(ctx context.Context, dto SmartSaveDTO, opts ...SmartSaveOption) ([]*T, error)

	// FindByID returns the entity with the id, or ErrNotFound. See the package
	// documentation for what an id may be.
	FindByID(ctx context.Context, id any) (*T, error)

	// FindAllByID returns the entities with the ids in the order of ids,
	// absent ones left out. An id given twice is answered once, at its first
	// place. No ids find nothing.
	FindAllByID(ctx context.Context, ids []any) ([]*T, error)

	// ExistsByID tells whether an entity with the id is stored and not deleted.
	ExistsByID(ctx context.Context, id any) (bool, error)

	// Find returns the entities that satisfy all the options; without options
	// all of them. The order is the store's unless Asc or Desc say otherwise.
	Find(ctx context.Context, q ...Option) ([]*T, error)

	// Count counts the entities that Find would return. Limit and Offset do
	// not change it.
	Count(ctx context.Context, q ...Option) (int64, error)

	// Delete deletes the entities by their keys: it marks them where the type
	// has a soft-delete field and removes them elsewhere. An absent one is no
	// error. With a version field, one that is stored in another version is
	// ErrStale.
	Delete(ctx context.Context, es ...*T) error

	// DeleteByID deletes the entity with the id. An absent id is no error.
	DeleteByID(ctx context.Context, id any) error

	// DeleteAllByID deletes the entities with the ids and returns how many
	// there were. No ids delete nothing.
	DeleteAllByID(ctx context.Context, ids []any) (int64, error)
}

// Updater is a repository that reads, changes and writes one entity as a unit.
type Updater[T any] interface {
	// Update reads the entity with the id, calls fn with it, saves it and
	// returns it. ErrNotFound when there is none. An error of fn is returned
	// and nothing is written. fn may run more than once, each time with a
	// freshly read entity. It must not change the key.
	//
	// Whether another writer can come in between depends on the repository: a
	// locked one keeps all writers out, a plain one does what its package
	// documentation says.
	Update(ctx context.Context, id any, fn func(*T) error) (*T, error)
}

// Wrapper is a repository that adds something to another one. As looks through
// it. A wrapper that keeps writes under a rule, a lock for instance, must not
// implement it: what it does not offer itself would be reached past the rule.
type Wrapper[T any] interface {
	// Unwrap returns the repository inside.
	Unwrap() Repository[T]
}

// As finds the capability C (Updater[T], Transactor, ...) on r or on what r
// wraps, outermost first.
func As[C, T any](r Repository[T]) (C, bool) {
	for r != nil {
		if c, ok := r.(C); ok {
			return c, true
		}
		w, ok := r.(Wrapper[T])
		if !ok {
			break
		}
		r = w.Unwrap()
	}
	var none C
	return none, false
}
