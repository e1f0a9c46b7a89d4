// Package httpstatus maps the errors of repositories and of the lock to the
// statuses of HTTP.
//
//	o, err := orders.FindByID(r.Context(), id)
//	if err != nil {
//		http.Error(w, http.StatusText(httpstatus.Of(err)), httpstatus.Of(err))
//		return
//	}
//
// Errors of a write that was done, which match lockedrepo.ErrRelease, are 200: a
// client that repeats the request would write twice. Check such an error before you
// answer an error.
//
// The error texts name tables, keys of locks and hosts. Log them, and do not send them
// to a client, except where the status is 400 or 413.
package httpstatus
