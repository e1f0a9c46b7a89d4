package gormrepo

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// errNoConn is the error of a wait for a connection that took too long.
var errNoConn = fmt.Errorf("%w: no connection of the pool became free in time; the caller may hold one itself, as the function of Update and of InTx does: "+
	"pass the context of InTx on, or allow the pool more connections", repo.ErrBusy)

// connecting runs get, which waits for a connection to begin a transaction on, no
// longer than ctx allows; see driver.WithConnWait. What get opens lives with the
// context that it is given, which ends with a call of end.
func connecting(ctx context.Context, get func(context.Context) error) (end func(), err error) {
	wait, bounded := driver.ConnWait(ctx)
	if !bounded {
		return func() {}, get(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	end = func() { cancel(nil) }
	timer := time.AfterFunc(wait, func() { cancel(errNoConn) })
	err = get(ctx)
	if timer.Stop() {
		return end, err
	}
	return end, errNoConn
}

// awaitConn waits until the pool has a connection for a statement outside of a
// transaction, no longer than ctx allows.
func (r *Repository[T]) awaitConn(ctx context.Context) error {
	pool, ok := r.store.(*sql.DB)
	wait, bounded := driver.ConnWait(ctx)
	if !ok || !bounded || r.foreign {
		return nil
	}
	if s := pool.Stats(); s.MaxOpenConnections == 0 || s.InUse < s.MaxOpenConnections {
		return nil
	}
	bound, cancel := context.WithTimeoutCause(ctx, wait, errNoConn)
	defer cancel()
	c, err := pool.Conn(bound)
	switch {
	case err == nil:
		return c.Close()
	case ctx.Err() == nil && bound.Err() != nil:
		return errNoConn
	default:
		return err
	}
}
