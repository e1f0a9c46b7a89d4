package lockedrepos_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
)

var errNestedStep = errors.New("the second step failed")

// onNestedTx runs a test on each database, with the two ways to nest a transaction
// over the entries in one over the accounts.
func onNestedTx(t *testing.T, test func(ctx context.Context, t *testing.T, b *bank, nest func(ctx context.Context, fn func(context.Context) error) error)) {
	t.Helper()
	t.Parallel()
	for _, backend := range sqldb.Backends()[:3] {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			for name, function := range map[string]bool{"Method": false, "Function": true} {
				t.Run(name, func(t *testing.T) {
					f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
					b := newBank(t, backend.Open(t), f.Locker(nil), lockedrepo.Options{LockTimeout: 10 * time.Second})
					b.other = f.Locker(nil)
					nest := b.entries.InTx
					if function {
						nest = func(ctx context.Context, fn func(context.Context) error) error {
							return lockedrepo.InTx(ctx, fn, b.entries, b.accounts)
						}
					}
					test(check.Bounded(t, time.Minute), t, b, nest)
				})
			}
		})
	}
}

func wantCounts(t *testing.T, b *bank, accounts, entries int64) {
	t.Helper()
	if a, e := b.count(t); a != accounts || e != entries {
		t.Errorf("%d accounts and %d entries are stored, want %d and %d", a, e, accounts, entries)
	}
}

// nestedSteps writes an entry in a nested transaction and fails, which the
// function around it handles, and writes on.
func nestedSteps(b *bank, nest func(ctx context.Context, fn func(context.Context) error) error, nested func(context.Context) context.Context) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := b.accounts.Save(ctx, &account{ID: "before"}); err != nil {
			return err
		}
		err := nest(nested(ctx), func(ctx context.Context) error {
			if err := b.entries.Save(ctx, &entry{ID: 1}); err != nil {
				return err
			}
			return errNestedStep
		})
		if !errors.Is(err, errNestedStep) {
			return err
		}
		_ = b.entries.Save(ctx, &entry{ID: 2}) // whatever comes of it
		return nil
	}
}

// A nested transaction that failed is not committed, although the outer function
// handles its error.
func TestLocked_NestedErrorSpoilsTheOuterTransaction(t *testing.T) {
	onNestedTx(t, func(ctx context.Context, t *testing.T, b *bank, nest func(context.Context, func(context.Context) error) error) {
		same := func(ctx context.Context) context.Context { return ctx }
		err := b.accounts.InTx(ctx, nestedSteps(b, nest, same))
		if !errors.Is(err, repo.ErrRolledBack) || !errors.Is(err, errNestedStep) {
			t.Errorf("got %v", err)
		}
		wantCounts(t, b, 0, 0)
		check.Must(t, b.accounts.InTx(ctx, func(ctx context.Context) error { return b.entries.Save(ctx, &entry{ID: 3}) }))
		wantCounts(t, b, 0, 1)
	})
}

// With a savepoint what was written before and after it stays. The nested
// transaction showed the claims of a second key, which went with it, and what
// comes afterwards shows them again: a holder of that key from before is refused.
func TestLocked_NestedSavepoint(t *testing.T) {
	onNestedTx(t, func(ctx context.Context, t *testing.T, b *bank, nest func(context.Context, func(context.Context) error) error) {
		check.Must(t, b.accounts.InTx(ctx, nestedSteps(b, nest, repo.WithSavepoint)))
		wantCounts(t, b, 1, 1)
		entries := sqldb.Repository[entry](t, b.db, nil)
		if err := entries.Save(fences.Turn(1, "an earlier holder", 1, entryKey).With(ctx), &entry{ID: 9}); !errors.Is(err, repo.ErrFenced) {
			t.Errorf("an earlier holder of the second key got %v", err)
		}
	})
}

// A nested transaction that cannot get its lock fails as a whole.
func TestLocked_NestedLockTimeout(t *testing.T) {
	onNestedTx(t, func(ctx context.Context, t *testing.T, b *bank, nest func(context.Context, func(context.Context) error) error) {
		busy := locks.MustLock(ctx, t, b.other, entryKey)
		err := b.accounts.InTx(ctx, func(ctx context.Context) error {
			if err := b.accounts.Save(ctx, &account{ID: "before"}); err != nil {
				return err
			}
			soon, stop := context.WithTimeout(ctx, 50*time.Millisecond)
			defer stop()
			if err := nest(soon, func(context.Context) error { return nil }); !errors.Is(err, etcdlock.ErrTimeout) {
				t.Errorf("the nested transaction returned %v", err)
			}
			return nil
		})
		if !errors.Is(err, repo.ErrRolledBack) || !errors.Is(err, etcdlock.ErrTimeout) {
			t.Errorf("got %v", err)
		}
		wantCounts(t, b, 0, 0)
		locks.MustUnlock(ctx, t, busy)
	})
}

// The only connection of the pool belongs to the transaction that the function of
// Update runs in. Whatever that function does with the database itself waits for
// it, and ends within the LockTimeout with an error that says what to do.
func TestLocked_OnlyConnection(t *testing.T) {
	t.Parallel()
	for _, backend := range sqldb.Backends()[:3] {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, 30*time.Second)
			db := backend.Open(t)
			b := newBank(t, db, locks.NewFleet(t, embedded.EtcdEndpoints(t)).Locker(nil), lockedrepo.Options{LockTimeout: 200 * time.Millisecond})
			unfenced, err := lockedrepo.New(b.plain, locks.NewFleet(t, embedded.EtcdEndpoints(t)).Locker(nil), &lockedrepo.Options{
				Key: accountKey, LockTimeout: 200 * time.Millisecond, Unfenced: true,
			})
			check.Must(t, err)
			pool, err := db.DB()
			check.Must(t, err)
			pool.SetMaxOpenConns(1)
			check.Must(t, errors.Join(b.accounts.Save(ctx, &account{ID: "a"}), b.entries.Save(ctx, &entry{ID: 1})))
			for name, nested := range map[string]func(context.Context) error{
				"Save": func(ctx context.Context) error { return b.entries.Save(ctx, &entry{ID: 2}) },
				"InTx": func(ctx context.Context) error {
					return b.entries.InTx(ctx, func(context.Context) error { return nil })
				},
				"Update": func(ctx context.Context) error {
					_, err := b.entries.Update(ctx, 1, func(*entry) error { return nil })
					return err
				},
				"Delete":   func(ctx context.Context) error { return b.entries.DeleteByID(ctx, 1) },
				"Unfenced": func(ctx context.Context) error { return unfenced.Save(ctx, &account{ID: "b"}) },
				"Read":     func(ctx context.Context) error { _, err := b.entries.FindByID(ctx, 1); return err },
			} {
				_, err := b.accounts.Update(ctx, "a", func(*account) error { return nested(ctx) })
				if !errors.Is(err, repo.ErrBusy) || ctx.Err() != nil {
					t.Fatalf("%s: got %v", name, err)
				}
				t.Logf("%s: %v", name, err)
			}
			check.Must(t, b.accounts.Save(ctx, &account{ID: "c"})) // it goes on
			wantCounts(t, b, 2, 1)
		})
	}
}

// The function of Update saves another entity of the same type, and waits for
// itself, or for the only writer of SQLite. Both end.
func TestLocked_SameTypeInsideOfUpdate(t *testing.T) {
	t.Parallel()
	for _, backend := range sqldb.Backends()[:3] {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, time.Minute)
			db := backend.Open(t)
			if db.Name() == drivers.SQLite {
				check.Must(t, db.Exec("PRAGMA busy_timeout = 100").Error)
			}
			b := newBank(t, db, locks.NewFleet(t, embedded.EtcdEndpoints(t)).Locker(nil), lockedrepo.Options{LockTimeout: 200 * time.Millisecond})
			check.Must(t, b.accounts.Save(ctx, &account{ID: "a"}))
			_, err := b.accounts.Update(ctx, "a", func(*account) error { return b.accounts.Save(ctx, &account{ID: "b"}) })
			if !errors.Is(err, etcdlock.ErrTimeout) || !strings.Contains(err.Error(), "use InTx") {
				t.Errorf("got %v", err)
			}
			// What to do instead.
			check.Must(t, b.accounts.InTx(ctx, func(ctx context.Context) error {
				_, err := b.accounts.Update(ctx, "a", func(a *account) error { a.Balance++; return nil })
				return errors.Join(err, b.accounts.Save(ctx, &account{ID: "b"}))
			}))
			wantCounts(t, b, 2, 0)
		})
	}
}
