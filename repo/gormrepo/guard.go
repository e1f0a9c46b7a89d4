package gormrepo

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// guardian is the key that guards a table, and how often guards were moved away
// from it until then. No key: nobody checks it.
type guardian struct {
	key string
	gen int64
}

// guardKeys are the keys of which one guards the table of a call: those that the
// fence names, else its only one. Of several that nobody tells apart none is
// checked.
func guardKeys(f driver.Fence, claims []repo.Claim) []string {
	shown := make([]string, len(claims))
	for i, c := range claims {
		shown[i] = c.Key
	}
	g, ok := f.(driver.Guard)
	switch {
	case ok:
		return slices.DeleteFunc(slices.Clone(g.Keys()), func(k string) bool { return !slices.Contains(shown, k) })
	case len(shown) == 1:
		return shown
	default:
		return nil
	}
}

// guarded is the key of those given that guards the table. It is remembered: from
// then on each claim of that key is accepted only as long as its row tells of no
// move, so that another look takes no statement of its own. What is looked up
// inside a transaction may be rolled back, and is not remembered.
func (t fenceTable) guarded(ctx context.Context, pool gorm.ConnPool, keys []string, inside bool) (guardian, error) {
	if len(keys) == 0 {
		return guardian{}, nil
	}
	if known := t.state.guard.Load(); known != nil && slices.Contains(keys, known.key) {
		return *known, nil
	}
	g, err := t.lookGuard(ctx, pool)
	if isNoRows(err) {
		if err := t.register(ctx, pool, keys[0]); err != nil {
			return g, err
		}
		g, err = t.lookGuard(ctx, pool)
	}
	if err != nil {
		return g, err
	}
	if !slices.Contains(keys, g.key) {
		return g, t.wrongKey(g.key, keys...)
	}
	if !inside {
		t.state.guard.Store(&g)
	}
	return g, nil
}

func (t fenceTable) resource() string {
	if home := t.state.home.Load(); home != nil {
		return home.resource
	}
	return ""
}

func (t fenceTable) wrongKey(registered string, keys ...string) error {
	return &repo.WrongKeyError{Resource: t.resource(), Registered: registered, Presented: keys}
}

// lookGuard reads the key that guards the table, and what is known of its row.
func (t fenceTable) lookGuard(ctx context.Context, pool gorm.ConnPool) (g guardian, err error) {
	n, live := "0", ""
	if t.dialect == postgres {
		n, live = "coalesce(f.n, 0)", " AND f.live = 1"
	}
	var row int64
	err = pool.QueryRowContext(ctx, t.bind("SELECT g.k, coalesce(f.gen, 0), "+n+" FROM "+t.name("guard")+" g LEFT JOIN "+t.name("fence")+
		" f ON f.k = g.k"+live+" WHERE g.resource = ?"), t.resource()).Scan(&g.key, &g.gen, &row)
	if err == nil && t.row(g.key) == 0 {
		t.setRow(g.key, row)
	}
	return g, err
}

// register makes a key the guard of the table, unless another one is.
func (t fenceTable) register(ctx context.Context, pool gorm.ConnPool, key string) error {
	ignore := " ON CONFLICT DO NOTHING"
	if t.dialect == mysql {
		ignore = " ON DUPLICATE KEY UPDATE k = k"
	}
	_, err := pool.ExecContext(ctx, t.bind("INSERT INTO "+t.name("guard")+" (resource, k) VALUES (?, ?)"+ignore), t.resource(), key)
	return err
}

// confirmGuard checks the guard in a transaction that had shown the key before
// the repository came to it. One look is enough: moving the guard takes the row
// of the key, which the transaction keeps to its end.
func (r *Repository[T]) confirmGuard(ctx context.Context, pool gorm.ConnPool, state *txState, s showing) error {
	if s.guard.key == "" || state.isGuarded(s.resource) {
		return nil
	}
	g, err := r.fence.lookGuard(ctx, pool)
	if err == nil && !slices.Contains(s.keys, g.key) {
		err = r.fence.wrongKey(g.key, s.keys...)
	}
	if err != nil {
		err = r.fence.failed(s.claims, err)
		state.spoil(err)
		return err
	}
	state.sawGuard(s.resource)
	return nil
}

func (s *txState) isGuarded(resource string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.guarded, resource)
}

func (s *txState) sawGuard(resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guarded = append(s.guarded, resource)
}

// MoveGuard makes another key the guard of the table: the last step but one of
// renaming the key that its writers lock.
//
// The steps are: run all processes with both keys, which they lock and show both;
// then call MoveGuard once; then run them with the new key only. Each step may
// take its time, and the way back is the same with the keys exchanged. A process
// that is still at the step before, or ahead, gets repo.ErrWrongKey and has
// written nothing, also when its statement was waiting while the guard moved. A
// call that has read and not written yet when the guard moves gets repo.ErrFenced.
//
// It waits for the transactions that hold one of the keys in the database. It
// does nothing when the guard has moved already, and returns a
// *repo.WrongKeyError when it is neither of the two. It may be called
// concurrently, and must not be called inside a transaction.
func (r *Repository[T]) MoveGuard(ctx context.Context, from, to string) error {
	err := r.checkMove(ctx, from, to)
	if err == nil {
		err = r.repeat(ctx, func(*call) error { return r.moveGuard(ctx, from, to) })
	}
	return r.failed(ctx, "move guard", err)
}

func (r *Repository[T]) checkMove(ctx context.Context, from, to string) error {
	if r.TxState(ctx) != driver.TxNone {
		return repo.ErrInTx
	}
	if from == to {
		return fmt.Errorf("%w: from %q to the same key", repo.ErrInvalid, from)
	}
	for _, key := range []string{from, to} {
		if err := checkFenceKey(key); err != nil {
			return err
		}
	}
	pool := unprepared(r.db.Statement.ConnPool)
	if err := r.locate(ctx, pool); err != nil {
		return r.fence.failed(nil, err)
	}
	if err := r.fence.create(ctx, pool, []string{from, to}); err != nil {
		return r.fence.failed(nil, err)
	}
	return nil
}

func (r *Repository[T]) moveGuard(ctx context.Context, from, to string) error {
	tx := r.session(ctx, r.db.Statement.ConnPool).Begin(txOptions(r.dialect)...)
	if tx.Error != nil {
		return tx.Error
	}
	defer tx.Rollback() // says no more than that it is over after the commit
	t, pool := r.fence, unprepared(tx.Statement.ConnPool)
	for _, key := range slices.Sorted(slices.Values([]string{from, to})) {
		// Every writer under the key has ended after this, or will meet the new row.
		if _, err := pool.ExecContext(ctx, t.bind("UPDATE "+t.name("fence")+" SET sub = sub WHERE k = ?"+t.isLive()), key); err != nil {
			return t.failed(nil, err)
		}
	}
	g, err := t.lookGuard(ctx, pool)
	switch {
	case isNoRows(err):
		if err := t.register(ctx, pool, from); err != nil {
			return err
		}
	case err != nil:
		return t.failed(nil, err)
	case g.key == to:
		return nil
	case g.key != from:
		return t.wrongKey(g.key, from, to)
	}
	n, err := affected(pool.ExecContext(ctx, t.bind("UPDATE "+t.name("guard")+" SET k = ? WHERE resource = ? AND k = ?"), to, t.resource(), from))
	if err == nil && n != 1 {
		err = fmt.Errorf("%w: another call was first", repo.ErrBusy)
	}
	if err == nil {
		// It ends the turn that was seen last, too: what that read may be changed
		// under the other key, and the guard may be back before it writes.
		n, err = affected(pool.ExecContext(ctx, t.bind("UPDATE "+t.name("fence")+" SET gen = gen + 1, sub = sub | 4294967295 WHERE k = ?"+t.isLive()), from))
	}
	if err == nil && n != 1 {
		err = errNoFence
	}
	if err != nil {
		return err
	}
	return tx.Commit().Error
}

func (t fenceTable) isLive() string {
	if t.dialect == postgres {
		return " AND live = 1"
	}
	return ""
}
