package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/runner"
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

// Run runs the tests of a package that use the servers here, and returns the
// status to exit with. It fails when the tests leave something on the servers, and does
// what [runner.Run] does.
func Run(m *testing.M) int {
	var err error
	shared.dir, err = os.MkdirTemp("", "holdfast-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(shared.dir)
	return runner.Run(m, func(passed bool) error {
		var left error
		if passed { // a test that fails may leave things behind
			left = leftOnServers()
		}
		return errors.Join(left, closeShared())
	})
}

// Dir is a folder for all tests of the package.
func Dir() string { return shared.dir }

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

// EtcdEndpoints returns the endpoints in ETCD_ENDPOINTS (comma-separated) or
// those of the shared embedded etcd. No test may stop that one; a test that
// needs to starts an etcd of its own.
func EtcdEndpoints(t testing.TB) []string {
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

// EtcdClient returns a new client for [EtcdEndpoints] that is closed with the
// test.
func EtcdClient(t testing.TB) *clientv3.Client {
	t.Helper()
	return NewEtcdClient(t, EtcdEndpoints(t))
}

// NewEtcdClient returns a client that is closed with the test.
func NewEtcdClient(t testing.TB, endpoints []string) *clientv3.Client {
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

// OwnEtcd starts an etcd for this test alone, which it may stop.
func OwnEtcd(t testing.TB) *devserver.Etcd {
	t.Helper()
	srv, err := devserver.StartEtcd(check.Bounded(t, time.Minute), t.TempDir(), &devserver.EtcdOptions{UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	return srv
}

// MongoURI returns MONGODB_URI or the address of the shared stand-in.
func MongoURI(t testing.TB) string {
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
