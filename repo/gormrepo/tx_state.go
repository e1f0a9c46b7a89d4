package gormrepo

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// txState is what has happened in a transaction so far.
type txState struct {
	conn *conn
	mu   sync.Mutex
	// err is set when a call failed after it had written a part, or when claims
	// were refused.
	err error
	// keys are those of the claims that were shown.
	keys []string
	// guarded are the tables whose guards were looked at after their keys were
	// shown, so that they stay.
	guarded []string
	// op names the transaction, once claims were shown by something that
	// writes.
	op string
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
		return s.conn.failure()
	}
	return s.err
}

// txMark is what a rollback to a savepoint returns to.
type txMark struct {
	savepoint string
	err       error
	keys      []string
	guarded   []string
	op        string
}

func (s *txState) mark() txMark {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.savepoints++
	return txMark{fmt.Sprintf("holdfast_%d", s.savepoints), s.err, slices.Clone(s.keys), slices.Clone(s.guarded), s.op}
}

// reset forgets what happened since the mark: claims that were shown since then
// have to be shown again.
func (s *txState) reset(m txMark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.keys, s.guarded, s.op = m.err, m.keys, m.guarded, m.op
}

func (s *txState) shown(w showing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range w.claims {
		s.keys = append(s.keys, c.Key)
	}
	if w.op != "" {
		s.op = w.op
	}
}

func (s *txState) operation() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.op
}

// missing leaves the claims that were not shown in this transaction.
func (s *txState) missing(claims []repo.Claim) []repo.Claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(claims), func(c repo.Claim) bool { return slices.Contains(s.keys, c.Key) })
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
func (r *Repository[T]) join(ctx context.Context) error {
	f, fenced := driver.FenceFrom(ctx)
	if !fenced {
		return nil
	}
	if r.TxState(ctx) != driver.TxJoined {
		return errForeignFence()
	}
	state := stateIn(ctx)
	pool := unprepared(r.pool(ctx))
	s, err := r.draw(ctx, pool, f, state.operation() == "", true)
	if err != nil {
		state.spoil(err)
		return err
	}
	if s.claims = state.missing(s.claims); len(s.claims) > 0 {
		if err := r.fence.raise(ctx, pool, s, true); err != nil {
			state.spoil(err)
			return err
		}
		state.shown(s)
	}
	return r.confirmGuard(ctx, pool, state, s)
}

// errForeignFence refuses to show claims in the middle of a transaction that
// somebody else began: what it read before is not protected.
func errForeignFence() error {
	return fmt.Errorf("%w: the repository was made on a transaction, which has not begun with the claims of the fence", repo.ErrInTx)
}
