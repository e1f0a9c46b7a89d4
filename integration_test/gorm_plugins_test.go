package integration_test

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
			onFenced(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
				plain := gormRepo[gormCounter](t, db, nil)
				must(t, plain.Save(ctx, &gormCounter{ID: 1, N: 1}))
				pool, err := db.DB()
				must(t, err)
				other, err := gorm.Open(db.Dialector, &gorm.Config{ConnPool: pool, Logger: db.Logger})
				must(t, err)
				must(t, other.Use(redirecting{pool, kind}))
				r, err := gormrepo.New[gormCounter](other, nil)
				must(t, err)
				f := turn(5, "a", 1, "k")
				n := 1
				for name, call := range fencedCalls(r) {
					n++
					reads := strings.HasPrefix(name, "Find") || name == "Count" || name == "Joined" || name == "ExistsByID"
					if err := call(f.with(ctx)); !reads && !errors.Is(err, repo.ErrUnsupported) || err != nil && !strings.Contains(err.Error(), "redirecting") {
						t.Errorf("%s: %v", name, err)
					}
				}
				if got := rows[gormCounter](t, db); len(got) != 1 || got[0].N != 1 {
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
	onFenced(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		plain := gormRepo[gormCounter](t, db, nil)
		must(t, plain.Save(ctx, &gormCounter{ID: 1, N: 1}))
		must(t, db.Use(caching{map[string]bool{}}))
		r, err := gormrepo.New[gormCounter](db, nil)
		must(t, err)
		f := turn(5, "a", 1, "k")
		if e, err := r.FindByID(f.with(ctx), 1); err != nil || e.N != 1 {
			t.Errorf("from the database: %+v, %v", e, err)
		}
		if e, err := r.FindByID(f.with(ctx), 1); !errors.Is(err, repo.ErrUnsupported) {
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
	onFenced(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		plain := gormRepo[gormCounter](t, db, nil)
		// The replica is empty: what is read from it shows.
		replica := map[string]func(testing.TB) *gorm.DB{drivers.SQLite: sqliteDB, drivers.Postgres: postgresDB, drivers.MySQL: mysqlDB}[db.Name()](t)
		must(t, replica.AutoMigrate(&gormCounter{}))
		must(t, db.Use(dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{replica.Dialector}})))
		r, err := gormrepo.New[gormCounter](db, nil)
		must(t, err)
		f := turn(5, "a", 1, "k")
		for name, call := range fencedCalls(r) {
			if err := call(f.with(ctx)); err != nil && !errors.Is(err, repo.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		must(t, r.Save(f.with(ctx), &gormCounter{ID: 1, N: 7}))
		if e, err := r.FindByID(f.with(ctx), 1); err != nil || e.N != 7 {
			t.Errorf("a read under the hold: %+v, %v", e, err)
		}
		must(t, r.InTx(f.with(ctx), func(tx context.Context) error {
			if e, err := r.FindByID(tx, 1); err != nil || e.N != 7 {
				t.Errorf("a read in the transaction: %+v, %v", e, err)
			}
			return r.Save(tx, &gormCounter{ID: 2, N: 2})
		}))
		must(t, plain.Save(turn(6, "b", 1, "k").with(ctx), &gormCounter{ID: 1, N: 8}))
		for name, call := range fencedCalls(r) {
			if err := call(f.with(ctx)); !errors.Is(err, repo.ErrFenced) {
				t.Errorf("%s of a late holder: %v", name, err)
			}
		}
	})
}

// A call that needs a second connection of a pool that has one ends.
func TestGormPool_OfOne(t *testing.T) {
	t.Parallel()
	onFenced(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := gormRepo[gormCounter](t, db, nil)
		must(t, r.SaveAll(ctx, []*gormCounter{{ID: 1, N: 1}, {ID: 2, N: 1}}))
		pool, err := db.DB()
		must(t, err)
		pool.SetMaxOpenConns(1)
		ctx = driver.WithConnWait(ctx, 30*time.Second)
		brief := func(ctx context.Context) context.Context { return driver.WithConnWait(ctx, 20*time.Millisecond) }
		fences := map[string]context.Context{"plain": ctx, "fenced": turn(5, "a", 1, "k").with(ctx)}
		for outer, octx := range fences {
			for inner, ictx := range fences {
				for name, call := range fencedCalls(r) {
					_, err := r.Update(octx, 2, func(e *gormCounter) error {
						e.N++
						if err := call(brief(ictx)); !errors.Is(err, repo.ErrBusy) || !strings.Contains(err.Error(), "InTx") {
							t.Errorf("%s (%s) inside of Update (%s): %v", name, inner, outer, err)
						}
						return nil
					})
					must(t, err)
				}
			}
		}
		must(t, r.Save(ctx, &gormCounter{ID: 3}))
		if free := pool.Stats(); free.InUse != 0 {
			t.Errorf("%d connections are in use", free.InUse)
		}
	})
}
