package gormrepo

import (
	"context"
	"fmt"
	"sync"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/fence"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// txState is what has happened in a transaction so far.
type txState struct {
	conn *txconn.Conn
	// shown are the claims that it has shown.
	shown fence.Shown
	mu    sync.Mutex
	// err is set when a call failed after it had written a part, or when claims
	// were refused.
	err error
	// savepoints is how many were set.
	savepoints int
}

const txStateKey = "holdfast:tx"

func (s *txState) spoil(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// spoiled is why the transaction will not be committed, as far as known.
func (s *txState) spoiled() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && s.conn != nil {
		return s.conn.Failure()
	}
	return s.err
}

// txMark is what a rollback to a savepoint returns to.
type txMark struct {
	savepoint string
	err       error
	shown     fence.ShownMark
}

func (s *txState) mark() txMark {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.savepoints++
	return txMark{fmt.Sprintf("holdfast_%d", s.savepoints), s.err, s.shown.Mark()}
}

// reset forgets what happened since the mark.
func (s *txState) reset(m txMark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = m.err
	s.shown.Reset(m.shown)
}

// stateIn is the state of the transaction in ctx, or one that nobody looks at.
func stateIn(ctx context.Context) *txState {
	if tx, ok := driver.TxFrom(ctx); ok {
		if handle, ok := tx.Handle.(*gorm.DB); ok {
			if state, ok := handle.Get(txStateKey); ok {
				if state, ok := state.(*txState); ok {
					return state
				}
			}
		}
	}
	return &txState{}
}

// join shows those claims of the fence in ctx that the transaction in ctx has
// not shown yet: a lock can be taken while a transaction is running.
func (r *store) join(ctx context.Context) error {
	f, fenced := driver.FenceFrom(ctx)
	if !fenced {
		return nil
	}
	if r.TxState(ctx) != driver.TxJoined {
		return errForeignFence()
	}
	state := stateIn(ctx)
	err := r.fence.Join(ctx, txconn.Unprepared(r.pool(ctx)), f, &state.shown)
	if err != nil {
		state.spoil(err)
	}
	return err
}

// errForeignFence refuses to show claims in the middle of a transaction that
// somebody else began: what it read before is not protected.
func errForeignFence() error {
	return fmt.Errorf("%w: the repository was made on a transaction, which has not begun with the claims of the fence", repo.ErrInTx)
}
