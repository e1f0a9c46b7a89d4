package session

import (
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What a request, or a lease, can come to. Package etcdlock exports these errors and
// says what they mean for a lock.
var (
	// ErrLost says that a lease has ended, and with it what stood on it.
	ErrLost = errors.New("lock is lost")
	// ErrUnavailable says that etcd could not be reached, or did not answer.
	ErrUnavailable = errors.New("etcd is unavailable")
	// ErrRefused says that etcd has answered, and that asking again changes nothing.
	ErrRefused = errors.New("etcd refuses the request")
	// ErrClosed says that the session is stopped, or is about to be.
	ErrClosed = errors.New("locker is closed")
)

// LeaseGone reports whether etcd said that a lease does not exist.
func LeaseGone(err error) bool {
	return errors.Is(err, rpctypes.ErrLeaseNotFound) || code(err) == codes.NotFound
}

// NoSpace reports whether etcd refuses to store anything more.
func NoSpace(err error) bool {
	return errors.Is(err, rpctypes.ErrNoSpace) || errors.Is(err, rpctypes.ErrGRPCNoSpace)
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

// Unserved wraps an error with what it means for the caller: ErrRefused or
// ErrUnavailable.
func Unserved(err error) error {
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
