package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/lib/pq"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"modernc.org/sqlite"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/repo"
)

// The names of what a caller decides by.
const (
	ofDatabase  = "database" // a driver's own error: the database is not there, or gave up
	ofCancel    = "cancelled"
	ofDeadline  = "deadline"
	ofUnknown   = "unknown"
	ofBusy      = "busy"
	ofFenced    = "fenced"
	ofLost      = "lost"
	ofClosed    = "closed"
	ofBlocked   = "unavailable"
	ofTimeout   = "timeout"
	ofNotFound  = "not found"
	ofInvalid   = "invalid"
	ofDuplicate = "duplicate key"
	ofStale     = "stale"
	ofInTx      = "in a transaction"
	ofRegressed = "regressed"
	ofRollback  = "rolled back"
	ofWrongKey  = "wrong key"
	ofGivenUp   = "given up"
	ofSpoiled   = "spoiled"
	ofLeft      = "left"
)

// kindsOf names the documented errors that err matches. None means that the
// caller was told nothing that he could decide by.
func kindsOf(err error) []string {
	var kinds []string
	for _, k := range []struct {
		name     string
		sentinel error
	}{
		{ofUnknown, repo.ErrUnknown},
		{ofFenced, repo.ErrFenced},
		{ofRegressed, repo.ErrRegressed},
		{ofRollback, repo.ErrRolledBack},
		{ofWrongKey, repo.ErrWrongKey},
		{ofGivenUp, errGivenUp},
		{ofSpoiled, errSpoiled},
		{ofLeft, errLeft},
		{ofBusy, repo.ErrBusy},
		{ofStale, repo.ErrStale},
		{ofNotFound, repo.ErrNotFound},
		{ofInvalid, repo.ErrInvalid},
		{ofDuplicate, repo.ErrDuplicateKey},
		{ofInTx, repo.ErrInTx},
		{ofLost, etcdlock.ErrLost},
		{ofTimeout, etcdlock.ErrTimeout},
		{ofClosed, etcdlock.ErrClosed},
		{ofBlocked, etcdlock.ErrUnavailable},
		{ofCancel, context.Canceled},
		{ofDeadline, context.DeadlineExceeded},
	} {
		if errors.Is(err, k.sentinel) {
			kinds = append(kinds, k.name)
		}
	}
	if fromDriver(err) {
		kinds = append(kinds, ofDatabase)
	}
	return kinds
}

// fromDriver reports whether a database driver, or the network below it, says
// so. A repository leaves these errors matchable.
func fromDriver(err error) bool {
	for _, sentinel := range []error{driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone, mysql.ErrInvalidConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	if pgconn.SafeToRetry(err) { // nothing was sent, because the connection is closed
		return true
	}
	if _, ok := errors.AsType[*pgconn.PgError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*pq.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*sqlite.Error](err); ok {
		return true
	}
	if mongo.IsNetworkError(err) || mongo.IsTimeout(err) && !errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	if _, ok := errors.AsType[mongo.ServerError](err); ok {
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok && !errors.Is(err, context.DeadlineExceeded)
}

// outcomeOf says what the answer to an operation means. All errors but one
// promise that nothing was written.
func outcomeOf(written bool, err error) string {
	switch {
	case written:
		return isDone
	case errors.Is(err, repo.ErrUnknown):
		return isUnknown
	default:
		return isRefused
	}
}
