package grouped_test

import (
	"context"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// record has all that a save writes into an entity: a serial key, a version and times.
type record struct {
	ID        int64  `gorm:"primaryKey"`
	Name      string `gorm:"size:40;uniqueIndex"`
	N         int64  `gorm:"check:records_n,n >= 0"`
	By        string
	Version   int64 `holdfast:"version"`
	CreatedAt time.Time
	UpdatedAt time.Time
}

type hookKey struct{}

// hook runs before each attempt to save a record.
type hook func(ctx context.Context, e *record) error

func (e *record) BeforeSave(tx *gorm.DB) error {
	if fn, ok := tx.Statement.Context.Value(hookKey{}).(hook); ok {
		return fn(tx.Statement.Context, e)
	}
	return nil
}

func withHook(ctx context.Context, fn hook) context.Context {
	return context.WithValue(ctx, hookKey{}, fn)
}

const key = "record"

// site is a locked repository whose lock another process holds, so that calls pile up.
type site struct {
	cluster *locktest.Cluster
	db      *gorm.DB
	mine    *etcdlock.Locker
	other   *etcdlock.Locker // another process's
	plain   *gormrepo.Repository[record]
	locked  *lockedrepo.Repository[record]
	holder  *etcdlock.Lock
	answers []chan error
}

func onSites(t *testing.T, test func(ctx context.Context, t *testing.T, s *site)) {
	t.Helper()
	t.Parallel()
	for _, b := range sqldb.Backends()[:3] {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, time.Minute)
			db := fences.Open(t, b)
			check.Must(t, db.AutoMigrate(&record{}))
			s := &site{cluster: locktest.NewCluster(), db: db}
			t.Cleanup(func() {
				if err := s.cluster.Close(); err != nil {
					t.Error(err)
				}
			})
			var err error
			s.mine, err = s.cluster.NewLocker(&etcdlock.Options{Linger: etcdlock.NoLinger})
			check.Must(t, err)
			s.other, err = s.cluster.NewLocker(&etcdlock.Options{Linger: etcdlock.NoLinger})
			check.Must(t, err)
			s.plain, err = gormrepo.New[record](db, nil)
			check.Must(t, err)
			s.locked, err = lockedrepo.New[record](s.plain, s.mine, &lockedrepo.Options{Key: key})
			check.Must(t, err)
			s.holder, err = s.other.Lock(ctx, key)
			check.Must(t, err)
			test(ctx, t, s)
		})
	}
}

// pile begins calls one after the other, each when the one before waits for the lock. The
// first call of all waits by itself, and those after it wait together.
func (s *site) pile(ctx context.Context, t *testing.T, calls ...func() error) {
	t.Helper()
	for _, call := range calls {
		n := s.locked.Pending()
		answer := make(chan error, 1)
		s.answers = append(s.answers, answer)
		go func() { answer <- call() }()
		check.Eventually(ctx, t, "the call to wait", func() bool {
			if n > 0 || s.locked.Pending() == 0 {
				return s.locked.Pending() == n+1
			}
			line, err := s.other.Holders(ctx, key)
			return err == nil && len(line) == 2
		})
	}
}

// finish gives the lock back and returns the answers of all calls.
func (s *site) finish(ctx context.Context, t *testing.T) (errs []error) {
	t.Helper()
	check.Must(t, s.holder.Unlock(ctx))
	for _, answer := range s.answers {
		select {
		case err := <-answer:
			errs = append(errs, err)
		case <-ctx.Done():
			t.Fatal("a call has no answer")
		}
	}
	return errs
}
