package stages_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
	"github.com/holdfast-go/holdfast/lockedrepo/alsoshedlock"
	"github.com/holdfast-go/holdfast/repo"
)

// shed is a table of ShedLock and a Locker on it.
type shed struct {
	*alsoshedlock.Locker
	db   *gorm.DB
	java inTable
}

// onSheds runs a test on each database, with each clock.
func onSheds(t *testing.T, ttl time.Duration, test func(t *testing.T, s shed)) {
	t.Helper()
	zones := map[string]*time.Location{"DatabaseTime": nil, "OwnTime": time.FixedZone("", 5*60*60)}
	for name, open := range databases {
		for clock, zone := range zones {
			t.Run(name+"/"+clock, func(t *testing.T) {
				t.Parallel()
				d := open(t)
				db, pool := d.pool(t)
				if err := db.Exec(shedlockTables[d.Dialect]).Error; err != nil {
					t.Fatal(err)
				}
				l, err := alsoshedlock.New(pool, d.Dialect, &alsoshedlock.Options{TTL: ttl, Zone: zone})
				if err != nil {
					t.Fatal(err)
				}
				test(t, shed{l, db, inTable{pool, d.Dialect, "orders"}})
			})
		}
	}
}

func (s shed) set(t *testing.T, statement string, args ...any) {
	t.Helper()
	if err := s.db.Exec(statement, args...).Error; err != nil {
		t.Fatal(err)
	}
}

// row is what the table says of the lock.
func (s shed) row(t *testing.T) (by, until string) {
	t.Helper()
	if err := s.db.Raw("SELECT locked_by, lock_until FROM shedlock WHERE name = 'orders'").Row().Scan(&by, &until); err != nil {
		t.Fatal(err)
	}
	return by, until
}

func tryFor(t *testing.T, s shed, d time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	l, err := s.Lock(ctx, "orders")
	if err == nil {
		err = l.Unlock(t.Context())
	}
	return err
}

// One after the other has the lock, and nobody else meanwhile.
func TestShedLock(t *testing.T) {
	t.Parallel()
	onSheds(t, 0, func(t *testing.T, s shed) {
		for range 3 {
			held, err := s.Lock(t.Context(), "orders")
			if err != nil {
				t.Fatal(err)
			}
			if err := tryFor(t, s, 100*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, etcdlock.ErrUnavailable) {
				t.Errorf("a lock that is held: %v", err)
			}
			other, err := s.Lock(t.Context(), "another")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(other.Unlock(t.Context()), held.Unlock(t.Context())); err != nil {
				t.Error(err)
			}
			if err := held.Unlock(t.Context()); !errors.Is(err, etcdlock.ErrLost) {
				t.Errorf("given back twice: %v", err)
			}
		}
	})
}

// The statements of a service in Java see the lock, and the other way round. With another
// clock they would not.
func TestShedLock_IsThatOfJava(t *testing.T) {
	t.Parallel()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			db, pool := d.pool(t)
			if err := db.Exec(shedlockTables[d.Dialect]).Error; err != nil {
				t.Fatal(err)
			}
			l, err := alsoshedlock.New(pool, d.Dialect, nil)
			if err != nil {
				t.Fatal(err)
			}
			s := shed{l, db, inTable{pool, d.Dialect, "orders"}}
			unlock, err := s.java.lock(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := tryFor(t, s, 100*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("under the lock of Java: %v", err)
			}
			if err := unlock(); err != nil {
				t.Fatal(err)
			}
			held, err := s.Lock(t.Context(), "orders")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := s.java.lock(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Java under our lock: %v", err)
			}
			if err := held.Unlock(t.Context()); err != nil {
				t.Error(err)
			}
			if unlock, err = s.java.lock(t.Context()); err != nil {
				t.Fatal(err)
			}
			_ = unlock()
		})
	}
}

// Pods without usingDbTime write the time of their zone.
func TestShedLock_Zone(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{
		"PostgreSQL": "SELECT COUNT(*) FROM shedlock WHERE lock_until - timezone('utc', now()) BETWEEN interval '4 hours' AND interval '6 hours'",
		"MySQL":      "SELECT COUNT(*) FROM shedlock WHERE lock_until BETWEEN UTC_TIMESTAMP(3) + INTERVAL 4 HOUR AND UTC_TIMESTAMP(3) + INTERVAL 6 HOUR",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := databases[name](t)
			db, pool := d.pool(t)
			if err := db.Exec(shedlockTables[d.Dialect]).Error; err != nil {
				t.Fatal(err)
			}
			l, err := alsoshedlock.New(pool, d.Dialect, &alsoshedlock.Options{Zone: time.FixedZone("", 5*60*60)})
			if err != nil {
				t.Fatal(err)
			}
			held, err := l.Lock(t.Context(), "orders")
			if err != nil {
				t.Fatal(err)
			}
			var n int
			if err := db.Raw(query).Scan(&n).Error; err != nil || n != 1 {
				t.Errorf("%d rows have a time of the zone, %v", n, err)
			}
			if err := held.Unlock(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestShedLock_IsExtended(t *testing.T) {
	t.Parallel()
	onSheds(t, time.Second, func(t *testing.T, s shed) {
		held, err := s.Lock(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		owner, last := s.row(t)
		for range 3 {
			etcdtest.Eventually(t, "a later end", func() bool {
				by, until := s.row(t)
				if by != owner {
					t.Fatalf("locked by %q, then by %q", owner, by)
				}
				later := until > last
				last = max(last, until)
				return later
			})
		}
		if err := held.Unlock(t.Context()); err != nil {
			t.Error(err)
		}
		if _, until := s.row(t); until >= last {
			t.Errorf("given back it is locked until %s, before until %s", until, last)
		}
	})
}

// Who has the row by now keeps it, and the former holder learns of it.
func TestShedLock_TakenOver(t *testing.T) {
	t.Parallel()
	onSheds(t, 600*time.Millisecond, func(t *testing.T, s shed) {
		held, err := s.Lock(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		s.set(t, "UPDATE shedlock SET locked_by = 'another' WHERE name = 'orders'")
		_, until := s.row(t)
		<-held.Context().Done()
		if err := context.Cause(held.Context()); !errors.Is(err, etcdlock.ErrLost) {
			t.Errorf("got %v", err)
		}
		if err := held.Unlock(t.Context()); !errors.Is(err, etcdlock.ErrLost) {
			t.Errorf("given back: %v", err)
		}
		if by, now := s.row(t); by != "another" || now != until {
			t.Errorf("the row has %q until %s, want until %s", by, now, until)
		}
	})
}

// A lock that has expired is free, and does not come back to life.
func TestShedLock_Expired(t *testing.T) {
	t.Parallel()
	onSheds(t, 600*time.Millisecond, func(t *testing.T, s shed) {
		held, err := s.Lock(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		s.set(t, "UPDATE shedlock SET lock_until = locked_at WHERE name = 'orders'")
		next, err := s.Lock(t.Context(), "orders") // of the same process
		if err != nil {
			t.Fatal(err)
		}
		<-held.Context().Done()
		if err := held.Unlock(t.Context()); !errors.Is(err, etcdlock.ErrLost) {
			t.Errorf("given back: %v", err)
		}
		if err := tryFor(t, s, 100*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the next lock is held: %v", err)
		}
		if err := next.Unlock(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestShedLock_Unavailable(t *testing.T) {
	t.Parallel()
	onSheds(t, 0, func(t *testing.T, s shed) {
		held, err := s.Lock(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		s.set(t, "DROP TABLE shedlock")
		if err := tryFor(t, s, 10*time.Second); !errors.Is(err, etcdlock.ErrUnavailable) {
			t.Errorf("taken: %v", err)
		}
		if err := held.Unlock(t.Context()); !errors.Is(err, etcdlock.ErrUnavailable) {
			t.Errorf("given back: %v", err)
		}
	})
}

func TestShedLock_New(t *testing.T) {
	t.Parallel()
	pool := &sql.DB{}
	for name, c := range map[string]struct {
		pool    *sql.DB
		dialect alsoshedlock.Dialect
		opts    alsoshedlock.Options
	}{
		"NoPool":    {nil, alsoshedlock.SQLite, alsoshedlock.Options{}},
		"NoDialect": {pool, "oracle", alsoshedlock.Options{}},
		"Table":     {pool, alsoshedlock.MySQL, alsoshedlock.Options{Table: "shedlock; DROP TABLE orders"}},
		"TTL":       {pool, alsoshedlock.MySQL, alsoshedlock.Options{TTL: time.Millisecond}},
	} {
		if _, err := alsoshedlock.New(c.pool, c.dialect, &c.opts); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := alsoshedlock.New(pool, alsoshedlock.PostgreSQL, &alsoshedlock.Options{Table: "jobs.shedlock"}); err != nil {
		t.Error(err)
	}
}
