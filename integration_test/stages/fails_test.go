package stages_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/lockedrepo/alsoredis"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// onePod is a pod with both locks, in this process.
func onePod(t *testing.T, d database, addr, name string) (*gorm.DB, *lockedrepo.Repository[counter]) {
	t.Helper()
	db, _ := d.pool(t)
	plain, err := gormrepo.New[counter](db, nil)
	if err = errors.Join(err, db.AutoMigrate(&counter{}), gormrepo.MigrateFence(t.Context(), db), db.Create(&counter{ID: 1}).Error); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() {
		client.Del(context.Background(), name)
		_ = client.Close()
	})
	old, err := alsoredis.New(redislock.New(client), &alsoredis.Options{TTL: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	counters, err := lockedrepo.New(plain, locktest.NewLocal(t, nil), &lockedrepo.Options{
		Key: "counter", LockTimeout: 2 * time.Second, Also: []lockedrepo.Also{{Locker: old, Name: name}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return db, counters
}

func wantN(t *testing.T, db *gorm.DB, want int64) {
	t.Helper()
	var c counter
	if err := db.First(&c, 1).Error; err != nil || c.N != want {
		t.Errorf("the counter is at %d, %v; want %d", c.N, err, want)
	}
}

// An old lock that is lost has the transaction rolled back, and the next call goes on.
func TestFails_OldLockIsLost(t *testing.T) {
	t.Parallel()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, lock := servers.RequireEnv(t, "REDIS_ADDR"), servers.UniqueName("holdfast_test_")
			thief := redis.NewClient(&redis.Options{Addr: addr})
			defer thief.Close()
			db, counters := onePod(t, open(t), addr, lock)
			err := counters.InTx(t.Context(), func(ctx context.Context) error {
				if err := counters.Save(ctx, &counter{ID: 1, N: 5}); err != nil {
					return err
				}
				thief.Set(ctx, lock, "another", 0)
				<-ctx.Done()
				return nil // it does not look
			})
			if !errors.Is(err, etcdlock.ErrLost) {
				t.Errorf("got %v", err)
			}
			wantN(t, db, 0)
			if err := counters.Save(t.Context(), &counter{ID: 1, N: 6}); !errors.Is(err, etcdlock.ErrTimeout) {
				t.Errorf("while another has the old lock: %v", err)
			}
			wantN(t, db, 0)
			thief.Del(t.Context(), lock)
			if err := counters.Save(t.Context(), &counter{ID: 1, N: 7}); err != nil {
				t.Error(err)
			}
			wantN(t, db, 7)
		})
	}
}

func TestFails_OldServerIsDown(t *testing.T) {
	t.Parallel()
	db, counters := onePod(t, databases["SQLite"](t), "127.0.0.1:1", servers.UniqueName("holdfast_test_"))
	for name, call := range map[string]func(context.Context) error{
		"Save": func(ctx context.Context) error { return counters.Save(ctx, &counter{ID: 1, N: 5}) },
		"InTx": func(ctx context.Context) error {
			return counters.InTx(ctx, func(ctx context.Context) error { return counters.Save(ctx, &counter{ID: 1, N: 5}) })
		},
	} {
		if err := call(t.Context()); !errors.Is(err, etcdlock.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantN(t, db, 0)
}
