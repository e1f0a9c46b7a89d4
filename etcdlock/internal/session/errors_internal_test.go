package session

import (
	"errors"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// Whatever etcd's client makes of it, it is known.
func TestErrors_NoSpace(t *testing.T) {
	t.Parallel()
	for _, err := range []error{rpctypes.ErrNoSpace, rpctypes.ErrGRPCNoSpace, rpctypes.Error(rpctypes.ErrGRPCNoSpace)} {
		if !NoSpace(err) {
			t.Errorf("%v is not known", err)
		}
	}
	for _, err := range []error{nil, errors.New("other"), rpctypes.ErrTooManyRequests} {
		if NoSpace(err) {
			t.Errorf("%v is taken for it", err)
		}
	}
}
