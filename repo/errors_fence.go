package repo

import "fmt"

// FencedError says which claim was refused, and by which. It matches
// ErrFenced.
type FencedError struct {
	// Stored is the claim that the store has, Presented the one it refused. Both
	// tokens carry the store's epoch in the bits from 2^48 on.
	Stored, Presented Claim
}

// Error names both claims.
func (e *FencedError) Error() string {
	return fmt.Sprintf("%v: %s was presented, %s is stored", ErrFenced, e.Presented, e.Stored)
}

// Is reports whether target is ErrFenced.
func (e *FencedError) Is(target error) bool { return target == ErrFenced }

// UnknownError says that the answer to a commit was lost and that the store
// could not be asked afterwards. It matches ErrUnknown, and its cause.
type UnknownError struct {
	// Op identifies the transaction, for asking the store later.
	Op string
	// Err is why the store could not be asked.
	Err error
}

// Error names the operation and the cause.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("%v (operation %s): %v", ErrUnknown, e.Op, e.Err)
}

// Unwrap returns the cause.
func (e *UnknownError) Unwrap() error { return e.Err }

// Is reports whether target is ErrUnknown.
func (e *UnknownError) Is(target error) bool { return target == ErrUnknown }

// WrongKeyError says that a table or collection is guarded by another key than
// the ones that the writer holds. It matches ErrWrongKey.
type WrongKeyError struct {
	// Resource is the table or collection.
	Resource string
	// Registered is the key that guards it.
	Registered string
	// Presented are the keys that the writer holds for it.
	Presented []string
}

// Error names the resource and both keys.
func (e *WrongKeyError) Error() string {
	return fmt.Sprintf("%v: %s is guarded by %q, the writer holds %q", ErrWrongKey, e.Resource, e.Registered, e.Presented)
}

// Is reports whether target is ErrWrongKey.
func (e *WrongKeyError) Is(target error) bool { return target == ErrWrongKey }
