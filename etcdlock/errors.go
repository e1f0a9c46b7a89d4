package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The errors that a caller decides by. Every error of this package wraps
// exactly those that apply, together with their cause, so match them with
// [errors.Is].
var (
	// ErrHeld says that the name is held or waited for by another, and that
	// the call was not meant to wait.
	ErrHeld = errors.New("lock is held")
	// ErrLost says that a hold, or a place in the queue, ended before it was
	// given back: another may hold the lock by now.
	ErrLost = errors.New("lock is lost")
	// ErrTimeout says that the deadline of the caller passed while another
	// held the lock. The error matches [context.DeadlineExceeded] too.
	ErrTimeout = errors.New("timed out waiting for the lock")
	// ErrClosed says that the Locker is closed or is being closed.
	ErrClosed = errors.New("locker is closed")
	// ErrInvalid says that an argument or an option is not usable. Nothing
	// was sent to etcd.
	ErrInvalid = errors.New("invalid argument")
	// ErrOrder says that waiting for a name that sorts before one that the
	// context already holds was, as far as can be seen, a deadlock: see
	// OrderError. Name all keys in one call to Lock instead.
	ErrOrder = errors.New("lock order violated (take all names in one Lock call, or in sorted order)")
	// ErrUnavailable says that etcd could not be reached, or did not answer: try
	// again later. The cause stays matchable.
	ErrUnavailable = errors.New("etcd is unavailable")
	// ErrRefused says that etcd has answered and refuses the request, which was not
	// sent again: its user lacks a right, or the server is no full etcd. Somebody
	// must change that. The cause stays matchable.
	ErrRefused = errors.New("etcd refuses the request")
	// ErrUnsupported says that the Locker's configuration rules the call out.
	ErrUnsupported = errors.New("not supported")
)

// errGivenBack says that a hold is used after its Unlock. It matches ErrLost,
// since the caller holds nothing, and does not say that anything was lost.
var errGivenBack error = givenBackError{}

type givenBackError struct{}

func (givenBackError) Error() string        { return "it was given back by Unlock" }
func (givenBackError) Is(target error) bool { return target == ErrLost }

// errRequeue is internal: the lease of a contender went away before it owned
// anything, through no decision of anybody, so the contender queues again.
var errRequeue = errors.New("lease ended before the lock was reached")

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

// leaseGone reports whether etcd said that a lease does not exist.
func leaseGone(err error) bool {
	return errors.Is(err, rpctypes.ErrLeaseNotFound) || code(err) == codes.NotFound
}

// noSpace reports whether etcd refuses to store anything more.
func noSpace(err error) bool {
	return errors.Is(err, rpctypes.ErrNoSpace) || errors.Is(err, rpctypes.ErrGRPCNoSpace)
}

// final reports whether err is an answer that asking again will not change:
// missing rights, a request that etcd finds malformed, a client that its owner
// has closed.
func (l *Locker) final(err error) bool {
	if err == nil {
		return false
	}
	if l.cli.Ctx().Err() != nil {
		return true
	}
	return refused(err)
}

// errNoEtcd names a server that speaks etcd's protocol and lacks a part of it.
var errNoEtcd = errors.New("the server is no full etcd, with leases and transactions on them")

// refused reports whether etcd has answered that it will not do it.
func refused(err error) bool {
	switch code(err) {
	case codes.PermissionDenied, codes.InvalidArgument, codes.Unimplemented:
		return true
	default:
		return errors.Is(err, errNoEtcd) || lacks(err)
	}
}

// lacks reports whether the server says that it does not have what was asked for.
func lacks(err error) bool {
	s, ok := status.FromError(err)
	if !ok {
		return false
	}
	unsupported := strings.Contains(s.Message(), "unsupported") || strings.Contains(s.Message(), "not supported")
	return s.Code() == codes.Unimplemented || unsupported && (s.Code() == codes.Unknown || s.Code() == codes.InvalidArgument)
}

// unserved wraps an error with what it means for the caller: ErrRefused or
// ErrUnavailable.
func unserved(err error) error {
	switch {
	case !refused(err):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case lacks(err):
		return fmt.Errorf("%w: %w: %w", ErrRefused, errNoEtcd, err)
	default:
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
}

// code returns the gRPC code that err carries, whichever way etcd's client
// has wrapped it.
func code(err error) codes.Code {
	if ee, ok := errors.AsType[rpctypes.EtcdError](err); ok {
		return ee.Code()
	}
	return status.Code(err)
}
