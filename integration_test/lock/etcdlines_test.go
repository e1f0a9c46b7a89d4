package lock_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/internal/checkout"
	"github.com/holdfast-go/holdfast/internal/devserver"
)

// etcdLine is a line of etcd servers, such as 3.5.
type etcdLine struct {
	version string
	flags   []string
	// binary returns the path of a server, or skips the test.
	binary func(t *testing.T) string
}

var etcdLines = []etcdLine{
	{version: "3.4", binary: packagedEtcd},
	{version: "3.5", binary: func(t *testing.T) string { return buildEtcd(t, "v35") }, flags: []string{"--unsafe-no-fsync"}},
	{version: "3.6", binary: func(t *testing.T) string { return buildEtcd(t, "v36") }, flags: []string{"--unsafe-no-fsync"}},
}

// packagedEtcd returns the server of Debian's package etcd-server.
func packagedEtcd(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("etcd")
	if err != nil {
		t.Skip("there is no etcd 3.4: the package etcd-server is not installed")
	}
	return path
}

// buildEtcd builds the server of a nested module, which takes minutes the first
// time and a few seconds later.
func buildEtcd(t *testing.T, module string) string {
	t.Helper()
	path := filepath.Join(embedded.Dir(), module+".exe")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".")
	cmd.Dir = filepath.Join(checkout.Root(), "internal", "etcdtest", "servers", module)
	cmd.Env = append(cmd.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off", "GOTOOLCHAIN=local")
	begun := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		if checkout.CannotDownload(string(out)) && os.Getenv("REQUIRE_BACKENDS") != "1" {
			t.Skipf("the modules of this server can be had neither from the cache nor from the network: %s", out)
		}
		t.Fatalf("building %s: %v\n%s", module, err, out)
	}
	t.Logf("built in %v", time.Since(begun).Round(time.Second))
	return path
}

// etcdProcess is a server that runs.
type etcdProcess struct {
	endpoint string
	log      *serverLog
}

// start runs a server of the line until the test ends.
func (l etcdLine) start(t *testing.T, flags ...string) etcdProcess {
	t.Helper()
	binary := l.binary(t)
	version, err := exec.CommandContext(t.Context(), binary, "--version").Output()
	if err != nil || !strings.HasPrefix(string(version), "etcd Version: "+l.version+".") {
		if l.version == "3.4" && err == nil {
			t.Skipf("there is no etcd 3.4: %s is %s", binary, version)
		}
		t.Fatalf("%s is no etcd %s: %v\n%s", binary, l.version, err, version)
	}
	t.Log(strings.SplitN(string(version), "\n", 2)[0])
	ports, err := devserver.FreePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	log := &serverLog{expired: make(chan time.Time, 100)}
	cmd := exec.CommandContext(t.Context(), binary, slices.Concat([]string{
		"--data-dir", filepath.Join(t.TempDir(), "data"), "--logger", "zap", "--log-level", "error",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer,
	}, l.flags, flags)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // it is killed
		cancel()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-exited
		if t.Failed() {
			t.Logf("the server said:\n%s", log)
		}
	})
	awaitServing(ctx, t, client)
	return etcdProcess{client, log}
}

// awaitServing waits until the server answers.
func awaitServing(ctx context.Context, t *testing.T, endpoint string) {
	t.Helper()
	cli, err := clientv3.New(clientv3.Config{
		Endpoints:   []string{endpoint},
		Logger:      zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.WaitForReady(true))},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cli.Close()
	if _, err := cli.Get(ctx, "no such key"); err != nil {
		t.Fatalf("waiting for the server: %v", err)
	}
}

// serverLog keeps what a server writes.
type serverLog struct {
	expired chan time.Time // when the token of a login was deleted

	mu   sync.Mutex
	text bytes.Buffer
}

func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if bytes.Contains(p, []byte("deleted a simple token")) {
		select {
		case l.expired <- time.Now():
		default:
		}
	}
	return l.text.Write(p)
}

func (l *serverLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
