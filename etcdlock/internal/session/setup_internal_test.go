package session

import (
	"context"
	"errors"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/internal/memetcd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errTest = errors.New("the test says so")

func newServer(t *testing.T) *memetcd.Server {
	t.Helper()
	srv := memetcd.New(nil)
	t.Cleanup(srv.Close)
	return srv
}

// newSession returns a Session on a client of its own, whose requests go through
// intercept, which may be nil.
func newSession(t *testing.T, srv *memetcd.Server, intercept memetcd.Interceptor) *Session {
	t.Helper()
	return sessionOf(t, srv.NewClient(context.Background(), &memetcd.ClientOptions{Intercept: intercept}), func(*Lease) {})
}

func sessionOf(t *testing.T, cli *clientv3.Client, lost func(*Lease)) *Session {
	t.Helper()
	s := New(Config{
		Client: cli, Clock: NewClock(), TTL: 10 * time.Second, RequestTimeout: 3 * time.Second,
		Sentinel: func() string { return "sentinel" }, KeptAlive: func(time.Duration, error) {}, Lost: lost,
	})
	t.Cleanup(func() {
		_ = s.Stop(errTest) // what it returns is for the tests that stop it themselves
		_ = cli.Close()     // says only that its context is over
	})
	return s
}

func leaseOf(t *testing.T, s *Session) *Lease {
	t.Helper()
	l, err := s.Lease(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
