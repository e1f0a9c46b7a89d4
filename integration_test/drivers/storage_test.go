package drivers_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/internal/devserver"
)

func startEtcdWith(t *testing.T, o devserver.EtcdOptions) *clientv3.Client {
	t.Helper()
	o.UnsafeNoFsync = true
	server, err := devserver.StartEtcd(check.Bounded(t, time.Minute), t.TempDir(), &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return openEtcd(t, drivers.EtcdConfig{Endpoints: server.Endpoints()})
}

func checkOne(ctx context.Context, t *testing.T, cli *clientv3.Client) drivers.EndpointHealth {
	t.Helper()
	health, err := drivers.Check(ctx, cli)
	if err != nil || len(health) != 1 {
		t.Fatalf("%v %v", health, err)
	}
	return health[0]
}

// Ensure that a client sees whether etcd compacts its history.
func TestDriversCheck_History(t *testing.T) {
	t.Parallel()
	for name, compaction := range map[string]string{"Off": "", "On": "200ms"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, time.Minute)
			cli := startEtcdWith(t, devserver.EtcdOptions{Compaction: compaction})
			const writes = 50
			for range writes {
				if _, err := cli.Put(ctx, "k", "v"); err != nil {
					t.Fatal(err)
				}
			}
			s := checkOne(ctx, t, cli).Storage
			for compaction != "" && s.Compacted == 0 { // Put and compaction race; it comes
				if _, err := cli.Put(ctx, "k", "v"); err != nil {
					t.Fatal(err)
				}
				s = checkOne(ctx, t, cli).Storage
			}
			if s.Revision <= writes || s.Size <= 0 || s.InUse <= 0 || s.Quota <= 0 || (s.Compacted > 0) != (compaction != "") || s.Compacted > s.Revision {
				t.Errorf("%+v", s)
			}
		})
	}
	t.Run("ByHand", func(t *testing.T) {
		t.Parallel()
		ctx := check.Bounded(t, time.Minute)
		cli := startEtcdWith(t, devserver.EtcdOptions{})
		var last int64
		for range 20 {
			resp, err := cli.Put(ctx, "k", "v")
			if err != nil {
				t.Fatal(err)
			}
			last = resp.Header.Revision
		}
		if _, err := cli.Compact(ctx, last-5, clientv3.WithCompactPhysical()); err != nil {
			t.Fatal(err)
		}
		if s := checkOne(ctx, t, cli).Storage; s.Compacted != last-5 || s.Revision != last {
			t.Errorf("%+v, want %d of %d compacted", s, last-5, last)
		}
	})
}

// Ensure that Check warns before etcd stops taking writes, and not only after.
func TestDriversCheck_Space(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	cli := startEtcdWith(t, devserver.EtcdOptions{Quota: 64 << 20})
	if h := checkOne(ctx, t, cli); len(h.Warnings) != 0 {
		t.Errorf("an empty etcd: %v", h.Warnings)
	}
	value := strings.Repeat("x", 1<<17) // etcd sees its size ten times a second, which must not jump past the warning
	warned := false
	for {
		if _, err := cli.Put(ctx, "k", value); err != nil {
			break // full, or ctx is over
		}
		health, err := drivers.Check(ctx, cli)
		if err != nil {
			break
		}
		warned = warned || len(health[0].Warnings) == 1 && errors.Is(health[0].Warnings[0], drivers.ErrSpace)
	}
	if !warned {
		t.Error("no warning before the alarm")
	}
	health, err := drivers.Check(ctx, cli)
	if !errors.Is(err, drivers.ErrUnavailable) || !strings.Contains(err.Error(), "NOSPACE") || health[0].Healthy() {
		t.Errorf("full: %v %v", health, err)
	}
}
