package integration_test

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/holdfast-go/holdfast/internal/devserver"
)

// shared are the servers that all tests use together. Each starts with the
// first test that asks for it.
var shared struct {
	dir string

	etcdOnce sync.Once
	etcd     *devserver.Etcd
	etcdErr  error

	mongoOnce sync.Once
	mongo     *devserver.Mongo
	mongoErr  error
}

func TestMain(m *testing.M) {
	runChild()
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	var err error
	shared.dir, err = os.MkdirTemp("", "holdfast-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(shared.dir)
	if err := testSideBySide(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code = m.Run()
	if code == 0 { // a test that fails may leave things behind
		if err := leftOnServers(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if err := closeShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if code == 0 {
		if err := goleak.Find(leftByOthers()...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// testSideBySide has twice as many tests run at a time as there are processors, unless a
// flag says how many: most of them wait for a server. With the race detector they do not.
func testSideBySide() error {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); !raced && parallel.Value.String() == parallel.DefValue {
		return parallel.Value.Set(strconv.Itoa(2 * runtime.GOMAXPROCS(0)))
	}
	return nil
}

// leftByOthers are the goroutines that an embedded etcd server leaves behind when
// its lock service was used with a lease: it never closes the client that the
// service has inside the server. Holdfast itself never uses that keepalive. GORM
// never stops the goroutine of a cache for prepared statements.
func leftByOthers() []goleak.Option {
	const client, adapter = "go.etcd.io/etcd/client/v3.(*lessor).", "go.etcd.io/etcd/server/v3/proxy/grpcproxy/adapter."
	return []goleak.Option{
		goleak.IgnoreAnyFunction(client + "deadlineLoop"),
		goleak.IgnoreAnyFunction(client + "sendKeepAliveLoop"),
		goleak.IgnoreAnyFunction(adapter + "(*chanStream).RecvMsg"),
		goleak.IgnoreAnyFunction(adapter + "(*ls2lc).LeaseKeepAlive.func1"),
		goleak.IgnoreTopFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"),
	}
}

func closeShared() error {
	var errs []error
	if shared.etcd != nil {
		errs = append(errs, shared.etcd.Close())
	}
	if shared.mongo != nil {
		errs = append(errs, shared.mongo.Close())
	}
	return errors.Join(errs...)
}

// etcdEndpoints returns the endpoints in ETCD_ENDPOINTS (comma-separated) or
// those of the shared embedded etcd. No test may stop that one; a test that
// needs to starts an etcd of its own.
func etcdEndpoints(t testing.TB) []string {
	t.Helper()
	if eps := os.Getenv("ETCD_ENDPOINTS"); eps != "" {
		return strings.Split(eps, ",")
	}
	shared.etcdOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		shared.etcd, shared.etcdErr = devserver.StartEtcd(ctx, shared.dir, &devserver.EtcdOptions{UnsafeNoFsync: true})
	})
	if shared.etcdErr != nil {
		t.Fatal(shared.etcdErr)
	}
	return shared.etcd.Endpoints()
}

// etcdClient returns a new client for [etcdEndpoints] that is closed with the
// test.
func etcdClient(t testing.TB) *clientv3.Client {
	t.Helper()
	return newEtcdClient(t, etcdEndpoints(t))
}

func newEtcdClient(t testing.TB, endpoints []string) *clientv3.Client {
	t.Helper()
	cli, err := clientv3.New(clientv3.Config{
		Endpoints:   endpoints,
		DialTimeout: 10 * time.Second,
		Logger:      zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	return cli
}

// ownEtcd starts an etcd for this test alone, which it may stop.
func ownEtcd(t testing.TB) *devserver.Etcd {
	t.Helper()
	srv, err := devserver.StartEtcd(bounded(t, time.Minute), t.TempDir(), &devserver.EtcdOptions{UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	return srv
}

// mongoURI returns MONGODB_URI or the address of the shared stand-in.
func mongoURI(t testing.TB) string {
	t.Helper()
	if uri := os.Getenv("MONGODB_URI"); uri != "" {
		return uri
	}
	shared.mongoOnce.Do(func() {
		shared.mongo, shared.mongoErr = devserver.StartMongo(context.Background(), shared.dir, nil)
	})
	if shared.mongoErr != nil {
		t.Fatal(shared.mongoErr)
	}
	return shared.mongo.MongoURI()
}

// mongoDatabase returns an empty database of [mongoURI] for this test alone,
// dropped at its end.
func mongoDatabase(t testing.TB) *mongo.Database {
	t.Helper()
	db := newMongoClient(t, mongoURI(t)).Database(uniqueName("holdfast_test_"))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := db.Drop(ctx); err != nil {
			t.Errorf("dropping the test's database: %v", err)
		}
	})
	return db
}

// newMongoClient returns a client that is closed with the test.
func newMongoClient(t testing.TB, uri string) *mongo.Client {
	t.Helper()
	cli, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(10 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := cli.Disconnect(ctx); err != nil {
			t.Errorf("closing the mongodb client: %v", err)
		}
	})
	return cli
}

// requireEnv returns the value of the environment variable that names a server
// which cannot be embedded. Without it the test skips, or fails when
// REQUIRE_BACKENDS is 1.
func requireEnv(t testing.TB, name string) string {
	t.Helper()
	v := os.Getenv(name)
	switch {
	case v != "":
		return v
	case os.Getenv("REQUIRE_BACKENDS") == "1":
		t.Fatalf("%s is not set, and REQUIRE_BACKENDS=1 demands it", name)
	default:
		t.Skipf("%s is not set: no server to test with", name)
	}
	return ""
}

// uniqueName returns prefix with a random ending of lower-case letters and
// digits, short enough for the name of a database, a schema or a key.
func uniqueName(prefix string) string {
	return prefix + strings.ToLower(rand.Text()[:12])
}

// bounded returns the test's context with a limit, so that a test that hangs
// fails with an error of its own.
func bounded(t testing.TB, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}
