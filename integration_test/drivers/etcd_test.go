package drivers_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/internal/devserver"
)

// tlsEtcd is an etcd that demands client certificates, and what a client of it
// needs.
type tlsEtcd struct {
	server *devserver.Etcd
	ca     *authority
	config drivers.EtcdConfig
}

// startTLSEtcd starts an etcd whose certificate is made from cert.
func startTLSEtcd(t *testing.T, cert leaf, members int) *tlsEtcd {
	t.Helper()
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	serverCert, serverKey := ca.issue(t, cert)
	clientCert, clientKey := ca.issue(t, leaf{name: "client"})
	server, err := devserver.StartEtcd(check.Bounded(t, time.Minute), dir, &devserver.EtcdOptions{
		Members:       members,
		TLS:           &devserver.EtcdTLS{CertFile: serverCert, KeyFile: serverKey, CAFile: ca.ca},
		UnsafeNoFsync: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return &tlsEtcd{server: server, ca: ca, config: drivers.EtcdConfig{
		Endpoints: server.Endpoints(), CA: ca.ca, Cert: clientCert, Key: clientKey,
	}}
}

var goodLeaf = leaf{name: "server", hosts: []string{"127.0.0.1", "etcd.invalid"}}

func openEtcd(t *testing.T, c drivers.EtcdConfig) *clientv3.Client {
	t.Helper()
	cli, err := drivers.OpenEtcd(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	return cli
}

// logBuffer is a slog target that may be read while others write.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestDriversOpenEtcd(t *testing.T) {
	t.Parallel()
	etcd := startTLSEtcd(t, goodLeaf, 1)

	t.Run("MutualTLS", func(t *testing.T) {
		t.Parallel()
		var log logBuffer
		c := etcd.config
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		cli := openEtcd(t, c)
		key := servers.UniqueName("drivers/")
		if _, err := cli.Put(t.Context(), key, "v"); err != nil {
			t.Fatal(err)
		}
		if _, err := cli.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if text := log.String(); !strings.Contains(text, `msg="etcd member"`) || !strings.Contains(text, etcd.server.Endpoints()[0]) {
			t.Errorf("the members are not in the log: %s", text)
		}
	})
	t.Run("ClientOutlivesTheContext", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cli, err := drivers.OpenEtcd(ctx, etcd.config)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		defer cli.Close()
		if _, err := cli.Get(check.Bounded(t, 10*time.Second), "x"); err != nil {
			t.Error(err)
		}
	})
	t.Run("OneOfSeveralIsEnough", func(t *testing.T) {
		t.Parallel()
		var log logBuffer
		c := etcd.config
		dead := "https://" + deadAddr(t)
		c.Endpoints = []string{dead, c.Endpoints[0]}
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		cli := openEtcd(t, c)
		if _, err := cli.Get(t.Context(), "x"); err != nil {
			t.Error(err)
		}
		if text := log.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, dead) || !strings.Contains(text, "nothing listens there") {
			t.Errorf("the dead endpoint is not in the log: %s", text)
		}
		health, err := drivers.Check(t.Context(), cli)
		if !errors.Is(err, drivers.ErrUnavailable) || !strings.Contains(err.Error(), dead) {
			t.Errorf("check: %v", err)
		}
		if len(health) != 2 || health[0].Healthy() || !health[1].Healthy() {
			t.Errorf("health: %v", health)
		}
	})
	t.Run("ServerName", func(t *testing.T) {
		t.Parallel()
		c := etcd.config
		c.ServerName = "etcd.invalid"
		openEtcd(t, c)
		c.ServerName = "other.invalid"
		wantOpenEtcdError(t, c, drivers.ErrAuthentication, &x509.HostnameError{}, "for other names than other.invalid")
	})
}

func TestDriversCheck(t *testing.T) {
	t.Parallel()
	etcd := startTLSEtcd(t, goodLeaf, 3)
	cli := openEtcd(t, etcd.config)
	health, err := drivers.Check(t.Context(), cli)
	if err != nil || len(health) != 3 {
		t.Fatalf("%v %v", health, err)
	}
	for i, h := range health {
		if !h.Healthy() || h.Took <= 0 || h.Endpoint != etcd.config.Endpoints[i] ||
			!strings.HasPrefix(h.String(), h.Endpoint+" is healthy: successfully committed proposal: took = ") {
			t.Errorf("%v", h)
		}
	}

	// One member down: the two others are healthy still, once they have a leader.
	if err := etcd.server.Stop(2); err != nil {
		t.Fatal(err)
	}
	for ctx := check.Bounded(t, time.Minute); ; {
		health, err = drivers.Check(t.Context(), cli)
		if !errors.Is(err, drivers.ErrUnavailable) || len(health) != 3 || health[2].Healthy() {
			t.Fatalf("%v %v", health, err)
		}
		if health[0].Healthy() && health[1].Healthy() {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("no leader among the two others: %v %v", health, err)
		}
	}
	if !strings.Contains(health[2].String(), etcd.config.Endpoints[2]+" is unhealthy") {
		t.Error(health[2])
	}

	// Two down: the last one listens, but has no quorum behind it.
	if err := etcd.server.Stop(1); err != nil {
		t.Fatal(err)
	}
	health, err = drivers.Check(t.Context(), cli)
	if err == nil || len(health) != 3 || health[0].Healthy() {
		t.Fatalf("%v %v", health, err)
	}
}
