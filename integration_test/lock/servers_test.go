package lock_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
)

// lockTests are the tests of the lock that run on every line of etcd. They use the
// server that ETCD_ENDPOINTS names.
var lockTests = []string{
	"TestLockConformance_Namespace",
	"TestLock_",     // exclusion, order, TryLock
	"TestLockCrowd", // several processes
	"TestLockPassing_",
	"TestLockExchange_",
	"TestLockLinger_",
	"TestLockLostReply",
	"TestLockSeveral_",
	"TestLockNested",
	"TestLockLoss_", // leases and keys
	"TestLockWithTTL_",
	"TestLockWatch_",
	"TestForceLock",
	"TestLockInterop", // concurrency.Mutex, etcdctl lock, the lock service
}

// TestLockServers runs the tests of the lock on servers of other lines than that
// of go.mod. Each is a process of its own.
func TestLockServers(t *testing.T) {
	t.Parallel()
	for _, line := range etcdLines {
		t.Run(line.version, func(t *testing.T) {
			t.Parallel()
			server := line.start(t)
			t.Run("Suite", func(t *testing.T) { lockSuiteOn(t, server.endpoint) })
			t.Run("NoWatchIsLeft", func(t *testing.T) { noWatchIsLeft(t, server.endpoint) })
			t.Run("ExpiredLogin", func(t *testing.T) { expiredLoginOn(t, line) })
		})
	}
}

// lockSuiteOn runs this test binary on another server.
func lockSuiteOn(t *testing.T, endpoint string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(flag string) string {
		cmd := exec.CommandContext(t.Context(), self, flag+"=^("+strings.Join(lockTests, "|")+")")
		cmd.Env = append(os.Environ(), "ETCD_ENDPOINTS="+endpoint)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	tests := strings.Fields(run("-test.list"))
	for _, name := range lockTests {
		if !slices.ContainsFunc(tests, func(test string) bool { return strings.HasPrefix(test, name) }) {
			t.Errorf("there is no test %s…", name)
		}
	}
	begun := time.Now()
	run("-test.run") // which shows the tests that fail, and only these
	t.Logf("%d tests passed in %v", len(tests), time.Since(begun).Round(time.Second))
}

// noWatchIsLeft competes for names, gives up some waits at once, and then wants
// the server to have no watch but those that tell a Locker of a revoked lease.
func noWatchIsLeft(t *testing.T, endpoint string) {
	t.Helper()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, []string{endpoint})
	const lockers, names = 3, 20
	all := make([]*etcdlock.Locker, 0, lockers)
	for range lockers {
		all = append(all, f.Locker(&etcdlock.Options{Linger: etcdlock.NoLinger}))
	}
	var g errgroup.Group
	for _, l := range all {
		for n := range names {
			g.Go(func() error {
				hurried, cancel := context.WithTimeout(ctx, time.Millisecond)
				defer cancel()
				if k, err := l.Lock(hurried, fmt.Sprint("n", n)); err == nil {
					if err := k.Unlock(ctx); err != nil {
						return err
					}
				}
				return l.Do(ctx, fmt.Sprint("n", n), func(context.Context) error { return nil })
			})
		}
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	etcdtest.Eventually(t, "the watches to end", func() bool { return watchesOn(t, endpoint) == lockers })
}

// watchesOn returns how many watches the server has.
func watchesOn(t *testing.T, endpoint string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, endpoint+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^etcd_debugging_mvcc_watcher_total (\S+)$`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s does not count its watches", endpoint)
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// expiredLoginOn locks with a password after the token of the login has expired.
// The client logs in again. On 3.4 it does not, which is why that line is not
// supported.
func expiredLoginOn(t *testing.T, line etcdLine) {
	t.Helper()
	const tokenTTL = time.Second
	server := line.start(t, "--auth-token-ttl", "1", "--log-level", "debug")
	ctx := check.Bounded(t, time.Minute)
	admin := embedded.NewEtcdClient(t, []string{server.endpoint})
	const password = "a password"
	for _, step := range []func() error{
		func() error { _, err := admin.UserAdd(ctx, "root", password); return err },
		func() error { _, err := admin.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := admin.AuthEnable(ctx); return err },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	cli, err := drivers.OpenEtcd(t.Context(), drivers.EtcdConfig{Endpoints: []string{server.endpoint}, Username: "root", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	locker, err := etcdlock.New(cli, &etcdlock.Options{Linger: etcdlock.NoLinger, TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // its answer depends on the server's line
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := locker.Close(limited); err != nil {
			t.Log("Close: ", err)
		}
	})
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, locker, "n"))
	// Each login has a token, and the last one used expires last.
	for used := time.Now(); ; {
		select {
		case at := <-server.log.expired:
			if at.Sub(used) < tokenTTL {
				continue
			}
		case <-ctx.Done():
			t.Fatalf("waiting for the token to expire: %v", ctx.Err())
		}
		break
	}

	limited, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	k, err := locker.Lock(limited, "n")
	if line.version == "3.4" {
		t.Logf("after the token had expired: %v", err)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, the documentation says that the client hangs", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, k)
	if err := locker.Close(ctx); err != nil {
		t.Error(err)
	}
}
