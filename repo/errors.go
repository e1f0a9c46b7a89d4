package repo

import (
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// The errors that a caller decides by. An error of a repository matches one of
// them at most with errors.Is, but for ErrEmptySave, ErrTooMany and ErrCursor, which
// match ErrInvalid too. An error about a list matches those of its elements. The cause
// matches as well: an error of the driver, or of the context. Package httpstatus
// has the status that a handler answers.
var (
	// ErrNotFound is returned when no entity has the id asked for, or when the
	// stored one is marked as deleted.
	ErrNotFound = errors.New("repo: not found")

	// ErrEmptySave is returned by SmartSave for a list without documents. No lock
	// was taken, and the store was not called. It matches ErrInvalid.
	ErrEmptySave = fmt.Errorf("%w: the entity list is empty", ErrInvalid)

	// ErrInvalid is returned for an argument that can never succeed: a nil
	// entity, an id of a wrong type, a document that does not decode, an empty or
	// too long list of documents, an unknown field, an entity type without a key.
	// Nothing was written.
	ErrInvalid = entity.ErrInvalid

	// ErrDuplicateKey is returned when a write would break a unique index or
	// insert a key that exists.
	ErrDuplicateKey = errors.New("repo: duplicate key")

	// ErrStale is returned when the entity has a version field and the stored
	// version is another one: somebody saved in between. Read again and retry.
	ErrStale = errors.New("repo: stale version")

	// ErrFenced is returned when a newer holder of the lock, or a later turn of
	// the same hold, has reached the store already: the caller lost its lock, or
	// was late. Nothing was written. Take the lock again, read again and retry.
	// The error is a *FencedError where the stored claim is known.
	ErrFenced = errors.New("repo: fenced off by a newer holder of the lock")

	// ErrBusy is returned under a fence when another transaction kept what this
	// one needed for longer than the store is told to wait, as the transaction of
	// a host that vanished does. Nothing was written. Retry.
	ErrBusy = errors.New("repo: another transaction is in the way")

	// ErrRegressed is returned when etcd's revision is below one that the store
	// has seen: etcd was restored from a backup, made again, or is another
	// cluster. Nothing was written. An operator decides: the package
	// documentation of the backend tells how to go on.
	ErrRegressed = errors.New("repo: etcd is older than what the store has seen")

	// ErrUnknown is returned when the answer to a commit was lost and the store
	// cannot be asked whether it happened. The error is an *UnknownError, whose
	// Op asks again later.
	ErrUnknown = errors.New("repo: it is unknown whether the write happened")

	// ErrInTx is returned for a write that would become part of a transaction
	// which the repository does not control, so that its lock would be given
	// back before the commit.
	ErrInTx = errors.New("repo: inside a foreign transaction")

	// ErrRolledBack is returned by InTx when its function returned nil, but the
	// transaction could not be committed: a call or a nested InTx in it had
	// failed, or the database had rolled it back by itself. Nothing was written.
	// Calls in the transaction that come after the failure return it too.
	// The error matches the cause too. Retry where the cause allows it.
	ErrRolledBack = errors.New("repo: the transaction was rolled back")

	// ErrWrongKey is returned for a write or read under a lock whose key does not
	// guard the table or collection: another key is registered for it. Nothing was
	// written. The error is a *WrongKeyError. Configure the same key everywhere,
	// or rename the key as the documentation of the backend describes.
	ErrWrongKey = errors.New("repo: guarded by another key")

	// ErrDenied is returned when the database is read-only, as a standby is, or
	// when the role of the connection lacks a right; the text says which. Nothing
	// was written. An operator has to look.
	ErrDenied = errors.New("repo: the database does not allow it")

	// ErrTooMany is returned by SmartSave when the list has more documents or
	// bytes than allowed, and by queries with more values than the store accepts in
	// one statement. Nothing was written. It matches ErrInvalid.
	ErrTooMany = fmt.Errorf("%w: too many", ErrInvalid)

	// ErrCursor is returned for a cursor that was changed, was signed with another key,
	// or belongs to another query. The client starts again at the first window. It
	// matches ErrInvalid.
	ErrCursor = fmt.Errorf("%w: the cursor cannot be used", ErrInvalid)

	// ErrUnsupported is returned when the store cannot do what was asked for:
	// transactions on a store without them, a Native option of another store.
	ErrUnsupported = errors.New("repo: unsupported by this store")
)

// ItemError says what is wrong with one element of a list.
type ItemError struct {
	// Index is the position in the caller's list.
	Index int
	// Pointer is the RFC 6901 JSON pointer to the bad member of a document; it
	// is empty when the whole element is meant.
	Pointer string
	// ID is the key of the element where it is known, else nil.
	ID any
	// Err is the reason. It is never nil.
	Err error
}

// failed says what was being done.
func failed(doing string, err error) error { return fmt.Errorf("repo: %s: %w", doing, err) }

// Error names the element and the reason.
func (e *ItemError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "element %d", e.Index)
	if e.ID != nil {
		fmt.Fprintf(&b, " (id %v)", e.ID)
	}
	if e.Pointer != "" {
		b.WriteString(" " + e.Pointer)
	}
	return b.String() + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *ItemError) Unwrap() error { return e.Err }

// BatchError reports every failed element of a list at once. On SQL stores
// nothing of the list was written; on MongoDB the elements that are not named
// were.
type BatchError struct {
	// Items holds one entry per failed element, by ascending index.
	Items []*ItemError
}

// shownItems bounds the text, not the list: ten thousand bad documents must
// not make a megabyte of log.
const shownItems = 5

// Error lists the first failed elements and counts the rest.
func (e *BatchError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "repo: %d failed", len(e.Items))
	for i, it := range e.Items {
		if i == shownItems {
			fmt.Fprintf(&b, "; and %d more", len(e.Items)-shownItems)
			break
		}
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		b.WriteString(it.Error())
	}
	return b.String()
}

// Unwrap returns the failed elements, so that errors.Is and errors.As look
// into each of them.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, len(e.Items))
	for i, it := range e.Items {
		errs[i] = it
	}
	return errs
}
