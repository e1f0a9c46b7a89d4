package main

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/internal/devserver"
)

// asProgram makes this test binary the program itself.
const asProgram = "ORDERS_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// self is this test binary as the program.
func self(t *testing.T) string {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// What the package comment tells a user to type, up to Ctrl-C.
func TestTheProgramStartsTwoPodsAndStopsThem(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self(t))
	cmd.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+t.TempDir())
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var urls []string
	for lines := bufio.NewScanner(stdout); lines.Scan() && !strings.Contains(lines.Text(), "Ctrl-C"); {
		if len(urls) == 0 {
			urls = regexp.MustCompile(`http://[0-9.:]+[0-9]`).FindAllString(lines.Text(), -1)
		}
	}
	if len(urls) != 2 {
		t.Fatalf("the program names the pods %q", urls)
	}
	for _, u := range urls {
		if status := get(t, u+"/readyz"); status != http.StatusOK {
			t.Errorf("%s is answered %d", u, status)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	for _, u := range urls {
		if status := get(t, u+"/livez"); status != 0 {
			t.Errorf("%s still answers %d", u, status)
		}
	}
}

// get returns the status of an answer, 0 for none.
func get(t *testing.T, url string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// A pod is ready while both servers answer.
func TestReadyAsksDatabaseAndEtcd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	etcd, err := devserver.StartEtcd(t.Context(), dir, &devserver.EtcdOptions{UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = etcd.Close() })
	c, err := connect(t.Context(), drivers.Config{
		Etcd: drivers.EtcdConfig{Endpoints: etcd.Endpoints()},
		SQL:  drivers.SQLConfig{Dialect: drivers.SQLite, DSN: filepath.Join(dir, "orders.db")},
	}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.close(context.Background()) })
	ready := func(want bool) {
		t.Helper()
		if err := c.ready(t.Context()); (err == nil) != want {
			t.Errorf("ready says %v", err)
		}
	}
	ready(true)
	if err := etcd.Stop(); err != nil {
		t.Fatal(err)
	}
	ready(false)
	if err := etcd.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	ready(true)
	pool, err := c.db.DB()
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	ready(false)
}

// A request that runs when the pod is told to stop is answered; no other one begins.
func TestServeLetsRequestsEnd(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := (&url.URL{Scheme: "http", Host: listener.Addr().String()}).String()
	running, end := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(running)
		<-end
	})
	ctx, stop := context.WithCancel(t.Context())
	served, answered := make(chan error, 1), make(chan int, 1)
	go func() { served <- serve(ctx, listener, handler) }()
	go func() { answered <- get(t, target) }()
	<-running
	stop()
	for t.Context().Err() == nil {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			break // it takes no new ones
		}
		_ = conn.Close()
	}
	close(end)
	if status := <-answered; status != http.StatusOK {
		t.Errorf("the request is answered %d", status)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestAPodNeedsItsSettings(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-listen", ":0"}, {"extra"}, {"-nope"}, {"-config", "no-such-file.yaml"}} {
		if err := run(t.Context(), args, t.Output(), t.Output()); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
	if err := runPod(t.Context(), drivers.Config{}, podOptions{cursorKey: "short"}, t.Output()); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("a short key is answered %v", err)
	}
}
