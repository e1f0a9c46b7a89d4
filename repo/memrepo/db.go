package memrepo

import (
	"context"
	"fmt"
	"sync"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// DB is what the repositories share that take part in one transaction, as the
// tables of a database do; see Options.DB. One writes at a time: a call, or a
// transaction from its beginning to its end. Who reads does not wait, and sees
// what is committed. All methods of repositories on it may be called
// concurrently. The zero value is not usable.
type DB struct {
	// writer holds one value while somebody writes.
	writer chan struct{}
	// mu guards all tables.
	mu sync.RWMutex
}

// NewDB makes an empty database.
func NewDB() *DB { return &DB{writer: make(chan struct{}, 1)} }

// begin waits until nobody else writes.
func (db *DB) begin(ctx context.Context) error {
	select {
	case db.writer <- struct{}{}:
		return nil
	default:
	}
	bounded := ctx
	if d, ok := driver.ConnWait(ctx); ok {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	select {
	case db.writer <- struct{}{}:
		return nil
	case <-bounded.Done():
		if err := driver.Ended(ctx); err != nil {
			return err
		}
		return fmt.Errorf("%w: a transaction of the same database is open", repo.ErrBusy)
	}
}

func (db *DB) end() { <-db.writer }
