package fenced_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// onTx runs a test on each kind of database, with a fence and without.
func onTx(t *testing.T, test func(ctx context.Context, t *testing.T, db *gorm.DB, r *gormrepo.Repository[sqldb.GormCounter])) {
	t.Helper()
	for _, withFence := range []bool{true, false} {
		t.Run(map[bool]string{true: "Fenced", false: "Plain"}[withFence], func(t *testing.T) {
			fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
				r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
				if withFence {
					ctx = fences.Turn(5, "a", 1, "k").With(ctx)
				}
				test(ctx, t, db, r)
			})
		})
	}
}

// wantAllOrNothing fails unless InTx told the truth about what is stored.
func wantAllOrNothing(t *testing.T, db *gorm.DB, err error, ids ...int64) {
	t.Helper()
	stored := map[int64]bool{}
	for _, row := range sqldb.Rows[sqldb.GormCounter](t, db) {
		stored[row.ID] = true
	}
	for _, id := range ids {
		if stored[id] != (err == nil) {
			t.Errorf("InTx returned %v, and row %d is stored: %v", err, id, stored[id])
		}
	}
	var ops int64
	check.Must(t, db.Raw("SELECT count(*) FROM holdfast_ops WHERE written").Scan(&ops).Error)
	if err != nil && ops != 0 {
		t.Errorf("InTx returned %v, and %d operations are noted as written", err, ops)
	}
}

// An error that fn ignores does not become a commit of the rest: either all of
// it is stored, or InTx returns an error.
func TestGormTx_IgnoredError(t *testing.T) {
	t.Parallel()
	onTx(t, func(ctx context.Context, t *testing.T, db *gorm.DB, r *gormrepo.Repository[sqldb.GormCounter]) {
		ignored := errors.New("not reached")
		err := r.InTx(ctx, func(tx context.Context) error {
			check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 1, N: 1}))
			handle, _ := gormrepo.DB(tx)
			ignored = handle.Exec("INSERT INTO gorm_counters (id, n) VALUES (1, 2)").Error
			_ = r.Save(tx, &sqldb.GormCounter{ID: 2, N: 1})
			return nil
		})
		if ignored == nil {
			t.Error("the statement did not fail")
		}
		if err != nil && !errors.Is(err, repo.ErrRolledBack) {
			t.Errorf("got %v", err)
		}
		wantAllOrNothing(t, db, err, 1, 2)
	})
}

// onSQLiteTx runs a test on SQLite, with a fence and without.
func onSQLiteTx(t *testing.T, test func(ctx context.Context, t *testing.T, db *gorm.DB, r *gormrepo.Repository[sqldb.GormCounter])) {
	t.Helper()
	for _, withFence := range []bool{true, false} {
		db := fences.Open(t, sqldb.Backends()[0])
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		ctx := check.Bounded(t, time.Minute)
		if withFence {
			ctx = fences.Turn(5, "a", 1, "k").With(ctx)
		}
		test(ctx, t, db, r)
	}
}

// SQLite rolls back by itself when a trigger or a table says so.
func TestGormTx_RollbackByATrigger(t *testing.T) {
	t.Parallel()
	onSQLiteTx(t, func(ctx context.Context, t *testing.T, db *gorm.DB, r *gormrepo.Repository[sqldb.GormCounter]) {
		check.Must(t, db.Exec("CREATE TRIGGER refuse BEFORE INSERT ON gorm_counters WHEN new.n = 13 BEGIN SELECT RAISE(ROLLBACK, 'unlucky'); END").Error)
		err := r.InTx(ctx, func(tx context.Context) error {
			check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 1}))
			handle, _ := gormrepo.DB(tx)
			if handle.Exec("INSERT INTO gorm_counters (id, n) VALUES (2, 13)").Error == nil {
				t.Error("the trigger did not refuse")
			}
			if err := r.Save(tx, &sqldb.GormCounter{ID: 3}); !errors.Is(err, repo.ErrRolledBack) {
				t.Errorf("a save after the rollback: %v", err)
			}
			return nil
		})
		if !errors.Is(err, repo.ErrRolledBack) {
			t.Errorf("got %v", err)
		}
		wantAllOrNothing(t, db, err, 1, 2, 3)
	})
}

// A write that its own context interrupts takes the whole transaction of SQLite
// with it.
func TestGormTx_InterruptedWrite(t *testing.T) {
	t.Parallel()
	onSQLiteTx(t, func(ctx context.Context, t *testing.T, db *gorm.DB, r *gormrepo.Repository[sqldb.GormCounter]) {
		check.Must(t, db.Exec(`CREATE TRIGGER slow AFTER INSERT ON gorm_counters WHEN new.id = 5 BEGIN
			UPDATE gorm_counters SET n = (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 1000000000) SELECT count(*) FROM c) WHERE id = 5; END`).Error)
		var after error
		err := r.InTx(ctx, func(tx context.Context) error {
			check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 1}))
			brief, cancel := context.WithTimeout(tx, 200*time.Millisecond)
			defer cancel()
			if err := r.Save(brief, &sqldb.GormCounter{ID: 5}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the slow save: %v", err)
			}
			after = r.Save(tx, &sqldb.GormCounter{ID: 2})
			return nil
		})
		// Both are nil where the slow save had not begun when its time was over.
		if errors.Is(after, repo.ErrRolledBack) != errors.Is(err, repo.ErrRolledBack) {
			t.Errorf("the save after the rollback: %v; InTx: %v", after, err)
		}
		wantAllOrNothing(t, db, err, 1, 2)
	})
}

// InnoDB rolls back the victim of a deadlock, which a read can be too.
func TestGormTx_DeadlockVictim(t *testing.T) {
	t.Parallel()
	for _, withFence := range []bool{true, false} {
		for _, victim := range []string{"Read", "Write", "Handle"} {
			t.Run(fmt.Sprintf("%s/fenced=%v", victim, withFence), func(t *testing.T) {
				t.Parallel()
				db := fences.Open(t, sqldb.Backends()[2])
				r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
				ctx := check.Bounded(t, time.Minute)
				for i := range 60 {
					check.Must(t, r.Save(ctx, &sqldb.GormCounter{ID: int64(i + 1), N: 1}))
				}
				if withFence {
					ctx = fences.Turn(5, "a", 1, "k").With(ctx)
				}
				other := db.Begin()
				check.Must(t, other.Exec("UPDATE gorm_counters SET n = n + 1 WHERE id >= 20").Error)
				waits := make(chan error, 1)
				var inside error
				err := r.InTx(ctx, func(tx context.Context) error {
					check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 1, N: 100}))
					// Whichever waits first, ours has changed less and is the victim.
					go func() { waits <- other.Exec("UPDATE gorm_counters SET n = n + 1 WHERE id = 1").Error }()
					switch victim {
					case "Read":
						_, inside = r.Find(tx, repo.Native(func(d *gorm.DB) *gorm.DB {
							return d.Where("id = 50").Clauses(clause.Locking{Strength: "UPDATE"})
						}))
					case "Write":
						inside = r.Save(tx, &sqldb.GormCounter{ID: 50, N: 7})
					case "Handle":
						handle, _ := gormrepo.DB(tx)
						inside = handle.Exec("UPDATE gorm_counters SET n = 7 WHERE id = 50").Error
					}
					if err := r.Save(tx, &sqldb.GormCounter{ID: 2, N: 200}); !errors.Is(err, repo.ErrRolledBack) && inside != nil {
						t.Errorf("a save after the deadlock: %v", err)
					}
					return nil
				})
				check.Must(t, errors.Join(<-waits, other.Rollback().Error))
				if inside == nil {
					t.Fatal("there was no deadlock, or the other one was its victim")
				}
				if !errors.Is(err, repo.ErrRolledBack) {
					t.Errorf("got %v", err)
				}
				for _, row := range sqldb.Rows[sqldb.GormCounter](t, db) {
					if row.N != 1 {
						t.Errorf("%+v is stored", row)
					}
				}
			})
		}
	}
}

// A transaction that is over takes no statement, so a goroutine that fn left
// behind neither slips into its end nor writes outside of it.
func TestGormTx_Stragglers(t *testing.T) {
	t.Parallel()
	onTx(t, func(ctx context.Context, t *testing.T, db *gorm.DB, r *gormrepo.Repository[sqldb.GormCounter]) {
		oops := errors.New("oops")
		for round := range scale.Full(300) {
			var stragglers sync.WaitGroup
			var late error
			_ = r.InTx(ctx, func(tx context.Context) error {
				began := make(chan struct{})
				stragglers.Go(func() {
					close(began)
					for id := int64(1); late == nil; id++ {
						late = r.Save(tx, &sqldb.GormCounter{ID: id})
					}
				})
				<-began
				return oops
			})
			stragglers.Wait()
			if left := sqldb.Rows[sqldb.GormCounter](t, db); len(left) > 0 {
				t.Fatalf("round %d: %d rows are stored of a transaction that was rolled back", round, len(left))
			}
		}
		var kept context.Context
		check.Must(t, r.InTx(ctx, func(tx context.Context) error { kept = tx; return nil }))
		if err := r.Save(kept, &sqldb.GormCounter{ID: 1}); !errors.Is(err, repo.ErrInTx) {
			t.Errorf("a save after the commit: %v", err)
		}
		handle, ok := gormrepo.DB(kept)
		if !ok || !errors.Is(handle.Exec("DELETE FROM gorm_counters").Error, repo.ErrInTx) {
			t.Error("the handle works after the commit")
		}
	})
}

// Nobody but InTx ends its transaction.
func TestGormTx_OnlyInTxEndsIt(t *testing.T) {
	t.Parallel()
	onTx(t, func(ctx context.Context, t *testing.T, db *gorm.DB, r *gormrepo.Repository[sqldb.GormCounter]) {
		err := r.InTx(ctx, func(tx context.Context) error {
			check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 1}))
			handle, _ := gormrepo.DB(tx)
			for _, text := range []string{"COMMIT", "/* now */ commit", "-- now\nEND", "ROLLBACK", "BEGIN", "START TRANSACTION"} {
				if err := handle.Exec(text).Error; !errors.Is(err, repo.ErrInvalid) {
					t.Errorf("%q: %v", text, err)
				}
			}
			if db.Name() == drivers.MySQL {
				for _, text := range []string{"SET autocommit = 1", "CREATE TABLE x (id int)", "TRUNCATE TABLE gorm_counters"} {
					if err := handle.Exec(text).Error; !errors.Is(err, repo.ErrInvalid) {
						t.Errorf("%q: %v", text, err)
					}
				}
			}
			again, _ := gormrepo.DB(tx)
			if err := again.Commit().Error; !errors.Is(err, repo.ErrInTx) {
				t.Errorf("Commit of the handle: %v", err)
			}
			if err := handle.Session(&gorm.Session{PrepareStmt: true}).Exec("DELETE FROM gorm_counters").Error; !errors.Is(err, repo.ErrUnsupported) {
				t.Errorf("a prepared statement: %v", err)
			}
			// GORM's own nested transactions are savepoints.
			_ = handle.Transaction(func(tx *gorm.DB) error {
				check.Must(t, tx.Create(&sqldb.GormCounter{ID: 2}).Error)
				return errors.New("undo")
			})
			return handle.Create(&sqldb.GormCounter{ID: 3}).Error
		})
		check.Must(t, err)
		if got := sqldb.Rows[sqldb.GormCounter](t, db); len(got) != 2 || got[0].ID != 1 || got[1].ID != 3 {
			t.Errorf("stored: %+v", got)
		}
		err = r.InTx(ctx, func(tx context.Context) error {
			handle, _ := gormrepo.DB(tx)
			return errors.Join(r.Save(tx, &sqldb.GormCounter{ID: 4}), handle.Rollback().Error)
		})
		if !errors.Is(err, repo.ErrRolledBack) {
			t.Errorf("after Rollback of the handle: %v", err)
		}
		if got := sqldb.Rows[sqldb.GormCounter](t, db); len(got) != 2 {
			t.Errorf("stored: %+v", got)
		}
	})
}

// The connection goes away inside of the transaction.
func TestGormTx_KilledConnection(t *testing.T) {
	t.Parallel()
	onServers(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		for _, ctx := range []context.Context{ctx, fences.Turn(5, "a", 1, "k").With(ctx)} {
			err := r.InTx(ctx, func(tx context.Context) error {
				check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 1}))
				handle, _ := gormrepo.DB(tx)
				var id int64
				ask, kill := "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%d)"
				if db.Name() == drivers.MySQL {
					ask, kill = "SELECT CONNECTION_ID()", "KILL %d"
				}
				check.Must(t, handle.Raw(ask).Scan(&id).Error)
				check.Must(t, db.Exec(fmt.Sprintf(kill, id)).Error)
				_ = r.Save(tx, &sqldb.GormCounter{ID: 2})
				_ = r.Save(tx, &sqldb.GormCounter{ID: 3})
				return nil
			})
			if err == nil {
				t.Error("committed on a connection that is gone")
			}
			if got := sqldb.Rows[sqldb.GormCounter](t, db); len(got) != 0 {
				t.Errorf("%v, and stored: %+v", err, got)
			}
		}
	})
}
