package queue

import "errors"

var (
	// ErrHeld says that a name is owned or waited for by another.
	ErrHeld = errors.New("lock is held")
	// ErrRequeue is internal to etcdlock: the lease of a node went away before it owned
	// anything, through no decision of anybody, so the process queues again.
	ErrRequeue = errors.New("lease ended before the lock was reached")

	errKeyDeleted = errors.New("its key was deleted")
)

// HeldError says who holds a name.
type HeldError struct{ By Member }

func (e *HeldError) Error() string { return ErrHeld.Error() + " by " + e.By.String() }
func (e *HeldError) Unwrap() error { return ErrHeld }
