package etcdlock

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// The errors that a caller decides by. Every error of this package wraps
// exactly those that apply, together with their cause, so match them with
// [errors.Is].
var (
	// ErrHeld says that the name is held or waited for by another, and that
	// the call was not meant to wait.
	ErrHeld = queue.ErrHeld
	// ErrLost says that a hold, or a place in the queue, ended before it was
	// given back: another may hold the lock by now.
	ErrLost = session.ErrLost
	// ErrTimeout says that the deadline of the caller passed while another
	// held the lock. The error matches [context.DeadlineExceeded] too.
	ErrTimeout = errors.New("timed out waiting for the lock")
	// ErrClosed says that the Locker is closed or is being closed.
	ErrClosed = session.ErrClosed
	// ErrInvalid says that an argument or an option is not usable. Nothing
	// was sent to etcd.
	ErrInvalid = errors.New("invalid argument")
	// ErrOrder says that waiting for a name that sorts before one that the
	// context already holds was, as far as can be seen, a deadlock: see
	// OrderError. Name all keys in one call to Lock instead.
	ErrOrder = errors.New("lock order violated (take all names in one Lock call, or in sorted order)")
	// ErrUnavailable says that etcd could not be reached, or did not answer: try
	// again later. The cause stays matchable.
	ErrUnavailable = session.ErrUnavailable
	// ErrRefused says that etcd has answered and refuses the request, which was not
	// sent again: its user lacks a right, or the server is no full etcd. Somebody
	// must change that. The cause stays matchable.
	ErrRefused = session.ErrRefused
	// ErrUnsupported says that the Locker's configuration rules the call out.
	ErrUnsupported = errors.New("not supported")
)

// invalid builds an error that matches ErrInvalid.
func invalid(doing, format string, args ...any) error {
	return fmt.Errorf("etcdlock: %s: %w: %s", doing, ErrInvalid, fmt.Sprintf(format, args...))
}

// contextError describes a context that has ended: it matches ctx.Err() and
// the cause, which differ when the context was cancelled with a cause.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
