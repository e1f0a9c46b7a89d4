package gormstore_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/samber/lo"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// countedConn counts what is sent: a message of pgx for each round trip.
type countedConn struct {
	net.Conn
	sent *atomic.Int64
}

func (c countedConn) Write(b []byte) (int, error) {
	c.sent.Add(1)
	return c.Conn.Write(b)
}

// countedPostgres is a database of one connection whose round trips are counted.
func countedPostgres(t *testing.T) (*gorm.DB, *atomic.Int64) {
	t.Helper()
	config, err := pgx.ParseConfig(sqldb.PostgresSchema(t))
	check.Must(t, err)
	sent := new(atomic.Int64)
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		return countedConn{c, sent}, err
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = pool.Close() })
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: pool}), &gorm.Config{Logger: logger.Discard})
	check.Must(t, err)
	return db, sent
}

type gormCalled struct {
	ID   string `gorm:"primaryKey;size:20"`
	Name string `gorm:"size:20"`
}

type gormCalledVersion struct {
	ID   string `gorm:"primaryKey;size:20"`
	Name string `gorm:"size:20"`
	Rev  int64  `holdfast:"version"`
}

// What a save costs where callbacks for Create are registered: where a row may be
// stored, a transaction that looks first. Options.SkipCallbacks has none of it.
func TestGormTripsWithCallbacks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		called                               bool
		opts                                 gormrepo.Options
		one, list, fenced, versioned, turned int64
	}{
		"NoCallbacks":   {false, gormrepo.Options{}, 1, 4, 1, 1, 1},
		"Callbacks":     {true, gormrepo.Options{}, 4, 5, 5, 1, 4},
		"SkipCallbacks": {true, gormrepo.Options{SkipCallbacks: true}, 1, 4, 1, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, sent := countedPostgres(t)
			check.Must(t, gormrepo.MigrateFence(t.Context(), db))
			check.Must(t, db.AutoMigrate(new(gormCalled), new(gormCalledVersion)))
			if c.called {
				check.Must(t, db.Callback().Create().Before("gorm:create").Register("watch", func(*gorm.DB) {}))
			}
			r, err := gormrepo.New[gormCalled](db, &c.opts)
			check.Must(t, err)
			v, err := gormrepo.New[gormCalledVersion](db, &c.opts)
			check.Must(t, err)
			ctx, fenced := t.Context(), driver.WithFence(t.Context(), &severalClaims{})
			list := lo.Times(10, func(i int) *gormCalled { return &gormCalled{ID: string(rune('a' + i))} })
			versioned := &gormCalledVersion{ID: "a"}
			trips := func(save func() error) int64 {
				t.Helper()
				for range 3 { // the statements are prepared then
					check.Must(t, save())
				}
				before := sent.Load()
				check.Must(t, save())
				return sent.Load() - before
			}
			for what, n := range map[string][2]int64{
				"one":       {trips(func() error { return r.Save(ctx, list[0]) }), c.one},
				"list":      {trips(func() error { return r.SaveAll(ctx, list) }), c.list},
				"fenced":    {trips(func() error { return r.Save(fenced, list[0]) }), c.fenced},
				"versioned": {trips(func() error { return v.Save(ctx, versioned) }), c.versioned},
				"turned":    {trips(func() error { return v.Save(fenced, versioned) }), c.turned},
			} {
				if n[0] != n[1] {
					t.Errorf("%s: %d round trips, not %d", what, n[0], n[1])
				}
			}
		})
	}
}
