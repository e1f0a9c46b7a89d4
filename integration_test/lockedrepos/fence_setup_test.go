package lockedrepos_test

import (
	"context"
	"reflect"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// fencedTally is what the tests of fenced, locked repositories count with.
type fencedTally struct {
	ID string `bson:"_id" gorm:"primaryKey" json:"id"`
	N  int64  `json:"n"`
}

// fencedStore is a database: db, or mongo where that is nil.
type fencedStore struct {
	name  string
	db    *gorm.DB
	mongo *mongo.Database
}

// fencedStores are the databases that enforce a fence, each made when it is
// asked for.
func fencedStores() map[string]func(t testing.TB) *fencedStore {
	stores := map[string]func(t testing.TB) *fencedStore{
		"MongoDB": func(t testing.TB) *fencedStore {
			t.Helper()
			return &fencedStore{name: "MongoDB", mongo: mongodb.Database(t)}
		},
	}
	for _, b := range sqldb.Backends()[:3] {
		stores[b.Name] = func(t testing.TB) *fencedStore {
			t.Helper()
			return &fencedStore{name: b.Name, db: fences.Open(t, b)}
		}
	}
	return stores
}

// storeOf makes a repository as a process of its own would.
func storeOf[T any](t testing.TB, s *fencedStore) repo.Repository[T] {
	t.Helper()
	if s.db != nil {
		return sqldb.Repository[T](t, s.db, nil)
	}
	r, err := mongorepo.New[T](s.mongo.Collection(reflect.TypeFor[T]().Name()), nil)
	check.Must(t, err)
	return r
}

// inOneTransaction tells whether the store reads and writes in one.
func (s *fencedStore) inOneTransaction() bool { return s.db != nil }

// forgetGuard lets a test go on with another key.
func (s *fencedStore) forgetGuard(t testing.TB) {
	t.Helper()
	if s.db != nil && s.db.Migrator().HasTable("holdfast_guard") {
		check.Must(t, s.db.Exec("DELETE FROM holdfast_guard").Error)
	}
	if s.mongo != nil {
		check.Must(t, s.mongo.Collection("holdfast_guards").Drop(t.Context()))
	}
}

// fencedSite is a database and an etcd that several processes share.
type fencedSite struct {
	*locks.Fleet
	store *fencedStore
	key   string // of the last process
}

// onFencedStores runs a test on each database.
func onFencedStores(t *testing.T, test func(ctx context.Context, t *testing.T, s *fencedSite)) {
	t.Helper()
	t.Parallel()
	for name, open := range fencedStores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &fencedSite{Fleet: locks.NewFleet(t, embedded.EtcdEndpoints(t)), store: open(t)}
			test(check.Bounded(t, 2*time.Minute), t, s)
		})
	}
}

// fencedProcess is a Locker on a client of its own, and what it locks.
type fencedProcess struct {
	ears    *ears
	locker  *etcdlock.Locker
	key     string
	store   repo.Repository[fencedTally]
	tallies *lockedrepo.Repository[fencedTally]
	// taken and lost are closed when the first lock is taken, and lost.
	taken, lost chan struct{}
}

// process starts a process that locks tallies under key. Its lease is so long
// that it never ends by itself in a test.
func (s *fencedSite) process(t *testing.T, key string) *fencedProcess {
	t.Helper()
	if key != s.key { // others with the same key may be running
		s.store.forgetGuard(t)
		s.key = key
	}
	p := &fencedProcess{ears: newEars(), key: key, store: storeOf[fencedTally](t, s.store), taken: make(chan struct{}), lost: make(chan struct{})}
	var taken, lost sync.Once
	p.locker = s.LockerOn(p.ears.client(s.T, s.Endpoints), &etcdlock.Options{
		TTL:    time.Minute,
		Linger: etcdlock.NoLinger,
		Hooks: &etcdlock.Hooks{
			Taken: func(string, int64, int64) { taken.Do(func() { close(p.taken) }) },
			Lost:  func(string, error) { lost.Do(func() { close(p.lost) }) },
		},
	})
	s.T.Cleanup(p.ears.open)
	p.tallies = lockedOf(t, p, p.store, key)
	return p
}

// lockedOf locks a repository by the process.
func lockedOf[T any](t testing.TB, p *fencedProcess, inner repo.Repository[T], key string) *lockedrepo.Repository[T] {
	t.Helper()
	r, err := lockedrepo.New(inner, p.locker, &lockedrepo.Options{Key: key})
	check.Must(t, err)
	return r
}

// tally saves a tally past the locks.
func (s *fencedSite) tally(t testing.TB, id string, n int64) {
	t.Helper()
	check.Must(t, storeOf[fencedTally](t, s.store).Save(t.Context(), &fencedTally{ID: id, N: n}))
}

// want fails unless the database has the tally.
func (s *fencedSite) want(t testing.TB, id string, n int64) {
	t.Helper()
	if e, err := storeOf[fencedTally](t, s.store).FindByID(t.Context(), id); err != nil || e.N != n {
		t.Errorf("want %d counted, got %+v, %v", n, e, err)
	}
}

// endLease ends the lease of the holder of key, as its end would.
func (s *fencedSite) endLease(ctx context.Context, t testing.TB, key string) {
	t.Helper()
	looker, err := etcdlock.New(s.Cli, &etcdlock.Options{Namespace: s.Namespace})
	check.Must(t, err)
	defer func() { check.Must(t, looker.Close(ctx)) }()
	check.Must(t, breakHold(ctx, s.Fleet, looker, key))
}

// awaitBlocked waits until a transaction waits for the fence of another one. On
// SQLite, where that cannot be seen, it does not wait.
func (s *fencedStore) awaitBlocked(ctx context.Context, t testing.TB) {
	t.Helper()
	var query string
	switch s.db.Name() {
	case drivers.Postgres:
		query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN" +
			" (SELECT pid FROM pg_locks WHERE relation = 'holdfast_fence'::regclass)"
	case drivers.MySQL:
		query = "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE 'UPDATE %holdfast_fence f JOIN%'"
	default:
		return
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := 0; n == 0; <-tick.C {
		check.Must(t, s.db.WithContext(ctx).Raw(query).Scan(&n).Error)
	}
}

// ears are what a process hears of etcd by: watches and keepalives. A deaf one
// believes in its lease for as long as that would last, whatever became of it,
// as a process does that was paused.
type ears struct {
	mu   sync.Mutex
	deaf chan struct{} // closed to hear again; nil while it hears
}

func newEars() *ears { return &ears{} }

func (e *ears) shut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deaf = make(chan struct{})
}

func (e *ears) hear() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.deaf == nil
}

func (e *ears) open() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deaf != nil {
		close(e.deaf)
		e.deaf = nil
	}
}

func (e *ears) client(t testing.TB, endpoints []string) *clientv3.Client {
	t.Helper()
	stream := func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		cs, err := streamer(ctx, desc, cc, method, opts...)
		return deafStream{cs, e}, err
	}
	cli, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints, DialTimeout: 10 * time.Second, Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithChainStreamInterceptor(stream)},
	})
	check.Must(t, err)
	t.Cleanup(func() { _ = cli.Close() })
	return cli
}

type deafStream struct {
	grpc.ClientStream
	ears *ears
}

func (s deafStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	s.ears.mu.Lock()
	deaf := s.ears.deaf
	s.ears.mu.Unlock()
	if deaf == nil {
		return err
	}
	select {
	case <-deaf:
		return err
	case <-s.Context().Done():
		return s.Context().Err()
	}
}
