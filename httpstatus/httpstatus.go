package httpstatus

import (
	"context"
	"errors"
	"net/http"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
)

// Of returns the status that a handler answers when a call ended with err. It is 200 for
// nil and 500 for an error that matches no sentinel. An error that matches several, as
// that of a list does, has the first status of: 200, 500, 503, 413, 400, 404, 409. So the
// client is blamed only where the server is fine.
func Of(err error) int {
	if err == nil {
		return http.StatusOK
	}
	for _, r := range table() {
		if lo.SomeBy(r.sentinels, func(s error) bool { return errors.Is(err, s) }) {
			return r.status
		}
	}
	return http.StatusInternalServerError
}

type row struct {
	status    int
	sentinels []error
}

// table holds the statuses in the order in which they are looked up.
func table() []row {
	return []row{
		{http.StatusOK, []error{lockedrepo.ErrRelease}},
		{http.StatusInternalServerError, []error{
			repo.ErrRegressed, repo.ErrWrongKey, repo.ErrDenied, repo.ErrInTx, repo.ErrUnsupported, lockedrepo.ErrStripes,
			etcdlock.ErrRefused, etcdlock.ErrInvalid, etcdlock.ErrUnsupported,
		}},
		{http.StatusServiceUnavailable, []error{
			repo.ErrBusy, repo.ErrUnknown, etcdlock.ErrTimeout, etcdlock.ErrUnavailable, etcdlock.ErrClosed,
		}},
		// The cause of a rollback is no answer to the request: its function had handled it.
		{http.StatusConflict, []error{repo.ErrRolledBack}},
		{http.StatusRequestEntityTooLarge, []error{repo.ErrTooMany}},
		{http.StatusBadRequest, []error{repo.ErrEmptySave, repo.ErrCursor, repo.ErrInvalid}},
		{http.StatusNotFound, []error{repo.ErrNotFound}},
		{http.StatusConflict, []error{
			repo.ErrDuplicateKey, repo.ErrStale, repo.ErrFenced, etcdlock.ErrHeld, etcdlock.ErrLost, etcdlock.ErrOrder,
		}},
		// Last, because a lock that is lost or not free ends a context too.
		{http.StatusServiceUnavailable, []error{context.Canceled, context.DeadlineExceeded}},
	}
}
