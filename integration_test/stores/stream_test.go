package stores_test

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// line is one of many rows.
type line struct {
	ID    int64  `gorm:"primaryKey;autoIncrement:false" bson:"_id"`
	Group int64  `bson:"group"`
	Text  string `gorm:"size:2000" bson:"text"`

	found bool
}

// AfterFind is called by GORM for what was read.
func (l *line) AfterFind(*gorm.DB) error {
	l.found = true
	return nil
}

// saveLines saves n lines with a text of so many bytes.
func saveLines(ctx context.Context, t testing.TB, r repo.Repository[line], n, width int) {
	t.Helper()
	const batch = 5000
	for from := 0; from < n; from += batch {
		list := make([]*line, min(batch, n-from))
		for i := range list {
			list[i] = &line{ID: int64(from + i), Group: int64((from + i) % 97), Text: strings.Repeat("x", width)}
		}
		check.Must(t, r.SaveAll(ctx, list))
	}
}

func linesOn(t testing.TB, db *gorm.DB) *gormrepo.Repository[line] {
	t.Helper()
	check.Must(t, db.AutoMigrate(new(line)))
	r, err := gormrepo.New[line](db, nil)
	check.Must(t, err)
	return r
}

// heap is the memory in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// wantConstantMemory streams n lines and wants less memory in the loop than a part of them
// would take.
func wantConstantMemory(t *testing.T, r repo.Repository[line], n int, q ...repo.Option) {
	t.Helper()
	const most = 24 << 20
	before, highest, seen := heap(), uint64(0), 0
	for e, err := range repo.Stream(t.Context(), r, q...) {
		check.Must(t, err)
		if len(q) > 0 && e.ID != int64(seen) {
			t.Fatalf("line %d comes at %d", e.ID, seen)
		}
		if seen++; seen%(n/8) == 0 {
			highest = max(highest, heap())
		}
	}
	if seen != n {
		t.Fatalf("%d of %d lines", seen, n)
	}
	if highest > before+most {
		t.Errorf("the memory grew from %d MB to %d MB over %d lines", before>>20, highest>>20, n)
	}
	t.Logf("%d lines, from %d MB to %d MB", n, before>>20, highest>>20)
}

// It does not run next to others, whose memory would be counted.
func TestStream_ConstantMemory(t *testing.T) {
	n, width := 20_000, 2000
	if scale.Soak() {
		n, width = 1_000_000, 200
	}
	for _, b := range sqldb.Backends() {
		t.Run(b.Name, func(t *testing.T) {
			r := linesOn(t, b.Open(t))
			saveLines(t.Context(), t, r, n, width)
			wantConstantMemory(t, r, n, repo.F[line, int64]("ID").Asc())
		})
	}
	t.Run("MongoDB", func(t *testing.T) {
		r, err := mongorepo.New[line](mongodb.Database(t).Collection("lines"), nil)
		check.Must(t, err)
		coll := lo.Must(r.Native(t.Context()))
		n := scale.Full(80_000)
		for from := 0; from < n; from += 1000 {
			_, err := coll.InsertMany(t.Context(), lo.Times(1000, func(i int) any {
				return line{ID: int64(from + i), Text: strings.Repeat("x", 4000)}
			}))
			check.Must(t, err)
		}
		wantConstantMemory(t, r, n) // the stand-in sorts in the memory of this process
	})
}

var errInLoop = errors.New("in the loop")

// loopEndings are the ways in which a loop over a stream ends before its end.
func loopEndings() map[string]func(ctx context.Context, r repo.Repository[line]) {
	return map[string]func(ctx context.Context, r repo.Repository[line]){
		"Break": func(ctx context.Context, r repo.Repository[line]) {
			for _, err := range repo.Stream(ctx, r) {
				if err == nil {
					break
				}
			}
		},
		"Panic": func(ctx context.Context, r repo.Repository[line]) {
			defer func() { _ = recover() }()
			for _, err := range repo.Stream(ctx, r) {
				panic(cmp.Or(err, errInLoop))
			}
		},
		"Context": func(ctx context.Context, r repo.Repository[line]) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			for _, err := range repo.Stream(ctx, r) {
				if err == nil {
					cancel()
				}
			}
		},
	}
}

// A stream on SQL has one connection of the pool, and gives it back however the loop ends.
func TestStream_GivesBackItsConnection(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		r := linesOn(t, db)
		saveLines(t.Context(), t, r, 3000, 200)
		pool, err := db.DB()
		check.Must(t, err)
		for _, err := range repo.Stream(t.Context(), r) {
			check.Must(t, err)
			if n := pool.Stats().InUse; n != 1 {
				t.Errorf("%d connections are in use in the loop", n)
			}
			break
		}
		for name, end := range loopEndings() {
			end(t.Context(), r)
			if n := pool.Stats().InUse; n != 0 {
				t.Errorf("%s: %d connections are in use after the loop", name, n)
			}
		}
	})
}

// The server keeps no cursor of a loop that ended early.
func TestStream_ClosesItsCursor(t *testing.T) {
	t.Parallel()
	var killed atomic.Int64
	cli := mongodb.NewMonitoredClient(t, func(name string, _ bson.Raw) {
		if name == "killCursors" {
			killed.Add(1)
		}
	})
	r, err := mongorepo.New[line](cli.Database(mongodb.Database(t).Name()).Collection("lines"), nil)
	check.Must(t, err)
	saveLines(t.Context(), t, r, 300, 200)
	for name, end := range loopEndings() {
		before := killed.Load()
		end(t.Context(), r)
		if killed.Load() == before {
			t.Errorf("%s: the cursor was not closed", name)
		}
	}
}

// What GORM's callbacks and hooks do for Find they do for a stream.
func TestStream_RunsCallbacksAndHooks(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		r := linesOn(t, db)
		saveLines(t.Context(), t, r, 10, 200)
		check.Must(t, db.Callback().Query().Before("gorm:query").Register("only:odd", func(tx *gorm.DB) {
			tx.Statement.AddClause(clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "id % 2 = 1"}}})
		}))
		n := 0
		for e, err := range repo.Stream(t.Context(), r) {
			check.Must(t, err)
			if e.ID%2 != 1 || !e.found {
				t.Errorf("got %+v", e)
			}
			n++
		}
		sum, err := repo.Sum(t.Context(), r, repo.F[line, int64]("ID"))
		check.Must(t, err)
		if n != 5 || sum != 25 {
			t.Errorf("%d lines, whose sum is %d", n, sum)
		}
	})
}

func TestStream_RefusesAssociations(t *testing.T) {
	t.Parallel()
	r := linesOn(t, sqldb.SQLite(t))
	for _, err := range repo.Stream(t.Context(), r, repo.Native(func(tx *gorm.DB) *gorm.DB { return tx.Preload("Lines") })) {
		if !errors.Is(err, repo.ErrUnsupported) {
			t.Errorf("got %v", err)
		}
	}
}

// A stream of a locked repository waits for no lock outside of transactions; in one it
// locks, as Find does.
func TestStream_OfALockedRepository(t *testing.T) {
	t.Parallel()
	plain := linesOn(t, sqldb.SQLite(t))
	check.Must(t, gormrepo.MigrateFence(t.Context(), mustNative(t, plain)))
	saveLines(t.Context(), t, plain, 5, 200)
	locker, other := locks.NewFleet(t, embedded.EtcdEndpoints(t)).Locker(nil), locks.NewFleet(t, embedded.EtcdEndpoints(t)).Locker(nil)
	r, err := lockedrepo.New(plain, locker, &lockedrepo.Options{Key: servers.UniqueName("lines-")})
	check.Must(t, err)
	hold, err := other.Lock(t.Context(), r.Key())
	check.Must(t, err)
	n := 0
	for _, err := range repo.Stream(t.Context(), r) {
		check.Must(t, err)
		n++
	}
	check.Must(t, hold.Unlock(t.Context()))
	check.Must(t, r.InTx(t.Context(), func(ctx context.Context) error {
		for e, err := range repo.Stream(ctx, r) {
			if err != nil {
				return err
			}
			e.Group = 1000
			if err := r.Save(ctx, e); err != nil {
				return err
			}
		}
		return nil
	}))
	sum, err := repo.Sum(t.Context(), r, repo.F[line, int64]("Group"))
	check.Must(t, err)
	if n != 5 || sum != 5000 {
		t.Errorf("%d lines, then a sum of %d", n, sum)
	}
}

func mustNative(t *testing.T, r *gormrepo.Repository[line]) *gorm.DB {
	t.Helper()
	db, err := r.Native(t.Context())
	check.Must(t, err)
	return db.Session(&gorm.Session{NewDB: true})
}
