package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/internal/checkout"
	"github.com/holdfast-go/holdfast/internal/devserver"
)

// What the load test begins with.
const (
	products  = 4
	customers = 3
	inStock   = 100_000
)

// size is how much the clients do.
func size() (clients, orders int) {
	if raceEnabled {
		return 4, 20
	}
	return 6, 50
}

// Two pods sell one stock to several clients. One is killed on the way and comes back.
// Clients send again what was not answered. In the end nothing is lost or done twice.
func TestLoad(t *testing.T) {
	t.Parallel()
	f := startFleet(t, self(t))
	sent := f.sell(t, true)
	for _, wrong := range f.audit(t, sent) {
		t.Error(wrong)
	}
}

// The same with plain repositories: if nothing were lost, the test above would show
// nothing.
func TestLoadLosesUpdatesWithPlainRepositories(t *testing.T) {
	t.Parallel()
	switch {
	case os.Getenv("POSTGRES_DSN") == "" && os.Getenv("REQUIRE_BACKENDS") == "1":
		t.Fatal("POSTGRES_DSN is not set, and REQUIRE_BACKENDS=1 demands it")
	case os.Getenv("POSTGRES_DSN") == "":
		t.Skip("POSTGRES_DSN is not set; SQLite runs one transaction at a time, so that it loses nothing here")
	case raceEnabled:
		t.Skip("it looks at updates that the database loses, for which the race detector does nothing")
	}
	f := startFleet(t, buildPlain(t))
	wrong := f.audit(t, f.sell(t, false))
	if len(wrong) == 0 {
		t.Error("nothing was lost")
	}
	t.Logf("%d figures are wrong: %s", len(wrong), strings.Join(wrong, "; "))
}

// buildPlain builds the program with the plain variant of stores.go.
func buildPlain(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join(checkout.Root(), "examples", "orders"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	overlay, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "plain.exe")
	text := fmt.Sprintf(`{"Replace": {%q: %q}}`, filepath.Join(root, "stores.go"), filepath.Join(root, "testdata", "plain", "stores.go"))
	if err := os.WriteFile(overlay, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", program, ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// fleet is two pods on one etcd and one database.
type fleet struct {
	cfg   drivers.Config
	start podStart
	ctx   context.Context //nolint:containedctx // the pods end with it
	log   *os.File

	mu   sync.Mutex
	pods [2]*pod
}

func startFleet(t *testing.T, program string) *fleet {
	t.Helper()
	dir := t.TempDir()
	etcd, err := devserver.StartEtcd(t.Context(), dir, &devserver.EtcdOptions{UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = etcd.Close() })
	f := &fleet{start: podStart{
		program: program, config: filepath.Join(dir, "holdfast.yaml"), ttl: 2 * time.Second,
		env: []string{asProgram + "=1", cursorVariable + "=" + strings.Repeat("k", 32)},
	}}
	dialect, dsn := drivers.SQLite, filepath.Join(dir, "orders.db")
	if given := os.Getenv("POSTGRES_DSN"); given != "" {
		dialect, dsn = drivers.Postgres, postgresSchema(t, given)
	}
	if err := writeConfig(f.start.config, etcd.Endpoints(), dialect, dsn); err != nil {
		t.Fatal(err)
	}
	if f.cfg, err = drivers.Load(f.start.config); err != nil {
		t.Fatal(err)
	}
	if err := migrate(t.Context(), f.cfg.SQL); err != nil {
		t.Fatal(err)
	}
	if f.log, err = os.Create(filepath.Join(dir, "pods.log")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	f.ctx = ctx
	for i := range f.pods {
		f.startPod(t, i)
	}
	t.Cleanup(func() {
		stop()
		for _, p := range f.pods {
			_ = p.wait()
			if !p.cmd.ProcessState.Success() {
				t.Errorf("a pod that was asked to stop ended with %v", p.cmd.ProcessState)
			}
		}
		if text, err := os.ReadFile(f.log.Name()); t.Failed() && err == nil {
			t.Logf("the end of the log of the pods:\n%s", text[max(0, len(text)-4000):])
		}
		_ = f.log.Close()
	})
	return f
}

func (f *fleet) startPod(t *testing.T, i int) {
	t.Helper()
	p, err := f.start.pod(f.ctx, f.log)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pods[i] = p
}

// url is that of one of the pods.
func (f *fleet) url(i int) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pods[i%len(f.pods)].url
}

// replace kills a pod and starts another one in its place.
func (f *fleet) replace(t *testing.T, i int) {
	t.Helper()
	if err := f.pods[i].cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = f.pods[i].wait()
	f.startPod(t, i)
}

// postgresSchema makes a schema for the test and returns the DSN with it.
func postgresSchema(t *testing.T, dsn string) string {
	t.Helper()
	schema := fmt.Sprintf("holdfast_orders_%d_%d", os.Getpid(), time.Now().UnixNano())
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	run := func(statement string) {
		t.Helper()
		db, err := drivers.OpenSQL(context.WithoutCancel(t.Context()), drivers.SQLConfig{Dialect: drivers.Postgres, DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		if err := db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	run("CREATE SCHEMA " + schema)
	t.Cleanup(func() { run("DROP SCHEMA " + schema + " CASCADE") })
	return u.String()
}
