package fenced_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/plugin/dbresolver"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// redirecting is a plugin that sends statements of some kinds to another pool,
// whether they are in a transaction or not.
type redirecting struct {
	pool  gorm.ConnPool
	kinds string
}

func (redirecting) Name() string { return "redirecting" }

func (p redirecting) Initialize(db *gorm.DB) error {
	swap := func(tx *gorm.DB) {
		if p.pool != nil {
			tx.Statement.ConnPool = p.pool
		}
	}
	c := db.Callback()
	var errs []error
	for kind, register := range map[string]func() error{
		"create": func() error { return c.Create().Before("gorm:create").Register("redirecting:create", swap) },
		"update": func() error { return c.Update().Before("gorm:update").Register("redirecting:update", swap) },
		"delete": func() error { return c.Delete().Before("gorm:delete").Register("redirecting:delete", swap) },
		"raw":    func() error { return c.Raw().Before("gorm:raw").Register("redirecting:raw", swap) },
		"row":    func() error { return c.Row().Before("gorm:row").Register("redirecting:row", swap) },
		"query":  func() error { return c.Query().Before("gorm:query").Register("redirecting:query", swap) },
	} {
		if strings.Contains(p.kinds, kind) {
			errs = append(errs, register())
		}
	}
	return errors.Join(errs...)
}

// A plugin that takes statements out of the transaction is refused before
// anything is written.
func TestGormPlugin_Redirects(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"create", "update", "delete", "raw", "row", "query", "create update delete raw row query"} {
		t.Run(kind, func(t *testing.T) {
			fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
				plain := sqldb.Repository[sqldb.GormCounter](t, db, nil)
				check.Must(t, plain.Save(ctx, &sqldb.GormCounter{ID: 1, N: 1}))
				pool, err := db.DB()
				check.Must(t, err)
				other, err := gorm.Open(db.Dialector, &gorm.Config{ConnPool: pool, Logger: db.Logger})
				check.Must(t, err)
				check.Must(t, other.Use(redirecting{pool, kind}))
				r, err := gormrepo.New[sqldb.GormCounter](other, nil)
				check.Must(t, err)
				f := fences.Turn(5, "a", 1, "k")
				n := 1
				for name, call := range fencedCalls(r) {
					n++
					reads := strings.HasPrefix(name, "Find") || name == "Count" || name == "Joined" || name == "ExistsByID"
					if err := call(f.With(ctx)); !reads && !errors.Is(err, repo.ErrUnsupported) || err != nil && !strings.Contains(err.Error(), "redirecting") {
						t.Errorf("%s: %v", name, err)
					}
				}
				if got := sqldb.Rows[sqldb.GormCounter](t, db); len(got) != 1 || got[0].N != 1 {
					t.Errorf("stored: %+v", got)
				}
			})
		})
	}
}

// caching answers queries that it has seen before.
type caching struct{ seen map[string]bool }

func (caching) Name() string { return "caching" }

func (p caching) Initialize(db *gorm.DB) error {
	return db.Callback().Query().Replace("gorm:query", func(tx *gorm.DB) {
		callbacks.BuildQuerySQL(tx)
		text := tx.Statement.SQL.String()
		if p.seen[text] {
			tx.RowsAffected = 1
			return
		}
		if tx.Error == nil && !tx.DryRun {
			p.seen[text] = true
		}
		callbacks.Query(tx)
	})
}

// What is read under a hold comes from the database: an answer of a cache is an
// error.
func TestGormPlugin_Cache(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		plain := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		check.Must(t, plain.Save(ctx, &sqldb.GormCounter{ID: 1, N: 1}))
		check.Must(t, db.Use(caching{map[string]bool{}}))
		r, err := gormrepo.New[sqldb.GormCounter](db, nil)
		check.Must(t, err)
		f := fences.Turn(5, "a", 1, "k")
		if e, err := r.FindByID(f.With(ctx), 1); err != nil || e.N != 1 {
			t.Errorf("from the database: %+v, %v", e, err)
		}
		if e, err := r.FindByID(f.With(ctx), 1); !errors.Is(err, repo.ErrUnsupported) {
			t.Errorf("from the cache: %+v, %v", e, err)
		}
		if _, err := r.FindByID(ctx, 1); err != nil && !errors.Is(err, repo.ErrNotFound) {
			t.Errorf("without a hold the cache may answer: %v", err)
		}
	})
}

// With replicas, everything under a hold runs on the primary, in the transaction
// that shows the claims.
func TestGormPlugin_Replicas(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		plain := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		// The replica is empty: what is read from it shows.
		replica := map[string]func(testing.TB) *gorm.DB{drivers.SQLite: sqldb.SQLite, drivers.Postgres: sqldb.Postgres, drivers.MySQL: sqldb.MySQL}[db.Name()](t)
		check.Must(t, replica.AutoMigrate(&sqldb.GormCounter{}))
		check.Must(t, db.Use(dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{replica.Dialector}})))
		r, err := gormrepo.New[sqldb.GormCounter](db, nil)
		check.Must(t, err)
		f := fences.Turn(5, "a", 1, "k")
		for name, call := range fencedCalls(r) {
			if err := call(f.With(ctx)); err != nil && !errors.Is(err, repo.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		check.Must(t, r.Save(f.With(ctx), &sqldb.GormCounter{ID: 1, N: 7}))
		if e, err := r.FindByID(f.With(ctx), 1); err != nil || e.N != 7 {
			t.Errorf("a read under the hold: %+v, %v", e, err)
		}
		check.Must(t, r.InTx(f.With(ctx), func(tx context.Context) error {
			if e, err := r.FindByID(tx, 1); err != nil || e.N != 7 {
				t.Errorf("a read in the transaction: %+v, %v", e, err)
			}
			return r.Save(tx, &sqldb.GormCounter{ID: 2, N: 2})
		}))
		check.Must(t, plain.Save(fences.Turn(6, "b", 1, "k").With(ctx), &sqldb.GormCounter{ID: 1, N: 8}))
		for name, call := range fencedCalls(r) {
			if err := call(f.With(ctx)); !errors.Is(err, repo.ErrFenced) {
				t.Errorf("%s of a late holder: %v", name, err)
			}
		}
	})
}

// A call that needs a second connection of a pool that has one ends.
func TestGormPool_OfOne(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		check.Must(t, r.SaveAll(ctx, []*sqldb.GormCounter{{ID: 1, N: 1}, {ID: 2, N: 1}}))
		pool, err := db.DB()
		check.Must(t, err)
		pool.SetMaxOpenConns(1)
		ctx = driver.WithConnWait(ctx, 30*time.Second)
		brief := func(ctx context.Context) context.Context { return driver.WithConnWait(ctx, 20*time.Millisecond) }
		held := map[string]context.Context{"plain": ctx, "fenced": fences.Turn(5, "a", 1, "k").With(ctx)}
		for outer, octx := range held {
			for inner, ictx := range held {
				for name, call := range fencedCalls(r) {
					_, err := r.Update(octx, 2, func(e *sqldb.GormCounter) error {
						e.N++
						if err := call(brief(ictx)); !errors.Is(err, repo.ErrBusy) || !strings.Contains(err.Error(), "InTx") {
							t.Errorf("%s (%s) inside of Update (%s): %v", name, inner, outer, err)
						}
						return nil
					})
					check.Must(t, err)
				}
			}
		}
		check.Must(t, r.Save(ctx, &sqldb.GormCounter{ID: 3}))
		if free := pool.Stats(); free.InUse != 0 {
			t.Errorf("%d connections are in use", free.InUse)
		}
	})
}
