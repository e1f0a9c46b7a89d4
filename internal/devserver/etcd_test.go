package devserver_test

import (
	"bytes"
	"context"
	"net"
	"net/url"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/internal/devserver"
)

func TestEtcd(t *testing.T) {
	for name, members := range map[string]int{"OneMember": 1, "ThreeMembers": 3} {
		t.Run(name, func(t *testing.T) {
			ctx := bounded(t)
			running := goleak.IgnoreCurrent()
			srv := startEtcd(t, &devserver.EtcdOptions{Members: members, UnsafeNoFsync: true})
			if n := len(srv.Endpoints()); n != members {
				t.Fatalf("%d endpoints, want %d", n, members)
			}
			cli := newClient(t, srv)
			put(ctx, t, cli, "kept", "1")

			// An open watch must not hold up the stop.
			watch := cli.Watch(clientv3.WithRequireLeader(ctx), "w", clientv3.WithCreatedNotify())
			<-watch

			if err := srv.Stop(); err != nil {
				t.Fatal(err)
			}
			for _, ep := range srv.Endpoints() {
				if c, err := net.Dial("tcp", hostOf(t, ep)); err == nil {
					c.Close()
					t.Errorf("%s still accepts connections after Stop", ep)
				}
			}
			if err := srv.Restart(ctx); err != nil {
				t.Fatal(err)
			}
			// The same client, the same addresses, the same data.
			got, err := cli.Get(ctx, "kept")
			if err != nil {
				t.Fatal(err)
			}
			if got.Count != 1 {
				t.Fatalf("the key is gone after the restart")
			}

			cli.Close()
			for range 2 {
				if err := srv.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if err := srv.Restart(ctx); err == nil {
				t.Error("a closed server restarted")
			}
			goleak.VerifyNone(t, running)
		})
	}
}

func TestEtcd_OneOfThreeStops(t *testing.T) {
	ctx := bounded(t)
	srv := startEtcd(t, &devserver.EtcdOptions{Members: 3, UnsafeNoFsync: true})
	defer srv.Close()
	cli := newClient(t, srv)
	defer cli.Close()
	for i := range 3 {
		if err := srv.Stop(i); err != nil {
			t.Fatal(err)
		}
		// A write that met the old leader waits for its own timeout, so it gets
		// little time and is tried again until the other two have a leader.
		for {
			try, cancel := context.WithTimeout(ctx, time.Second)
			_, err := cli.Put(try, "k", "v")
			cancel()
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("two of three members do not serve: %v", err)
			}
		}
		if err := srv.Restart(ctx, i); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEtcd_TwoAtTheSameTime(t *testing.T) {
	ctx := bounded(t)
	a := startEtcd(t, &devserver.EtcdOptions{UnsafeNoFsync: true})
	defer a.Close()
	b := startEtcd(t, &devserver.EtcdOptions{UnsafeNoFsync: true})
	defer b.Close()
	ca, cb := newClient(t, a), newClient(t, b)
	defer ca.Close()
	defer cb.Close()
	put(ctx, t, ca, "only-in-a", "1")
	got, err := cb.Get(ctx, "only-in-a")
	if err != nil {
		t.Fatal(err)
	}
	if got.Count != 0 {
		t.Error("two servers share their data")
	}
}

func TestStartEtcd_BadOptions(t *testing.T) {
	if _, err := devserver.StartEtcd(t.Context(), t.TempDir(), &devserver.EtcdOptions{Members: 2}); err == nil {
		t.Error("two members accepted")
	}
}

func TestStartEtcd_Log(t *testing.T) {
	var log bytes.Buffer
	srv, err := devserver.StartEtcd(bounded(t), t.TempDir(), &devserver.EtcdOptions{Log: &log, UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Close()
	if log.Len() == 0 {
		t.Error("nothing was logged")
	}
}

func startEtcd(t *testing.T, opts *devserver.EtcdOptions) *devserver.Etcd {
	t.Helper()
	srv, err := devserver.StartEtcd(bounded(t), t.TempDir(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return srv
}

func newClient(t *testing.T, srv *devserver.Etcd) *clientv3.Client {
	t.Helper()
	cli, err := srv.Client()
	if err != nil {
		t.Fatal(err)
	}
	return cli
}

// put puts again what had no answer: where the leader has just been stopped, etcd
// gives up on what it was asked.
func put(ctx context.Context, t *testing.T, cli *clientv3.Client, k, v string) {
	t.Helper()
	for {
		_, err := cli.Put(ctx, k, v)
		switch {
		case err == nil:
			return
		case ctx.Err() != nil:
			t.Fatal(err)
		}
		t.Logf("putting %s again: %v", k, err)
	}
}

func hostOf(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// bounded ends a test that hangs with an error instead of a stack dump.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// Members that are started one by one, as by processes of their own, find each
// other, and one that comes back finds its data.
func TestEtcdMembersApart(t *testing.T) {
	ctx := bounded(t)
	ports, err := devserver.FreePorts(9)
	if err != nil {
		t.Fatal(err)
	}
	c := devserver.EtcdMember{
		Names: []string{"a", "b", "c"}, Ports: ports, Dir: t.TempDir(), UnsafeNoFsync: true,
		Heartbeat: 50 * time.Millisecond, Election: 500 * time.Millisecond,
	}
	started := make([]*devserver.Etcd, 3)
	start := func(which ...int) {
		t.Helper()
		var all errgroup.Group
		for _, i := range which {
			member := c
			member.Index = i
			all.Go(func() (err error) {
				started[i], err = devserver.StartEtcdMember(ctx, member)
				return err
			})
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	start(0, 1, 2)
	t.Cleanup(func() {
		for _, e := range started {
			e.Close()
		}
	})
	cli, err := clientv3.New(clientv3.Config{Endpoints: c.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	// With the short election a lease may be as short as a second.
	lease, err := cli.Grant(ctx, 1)
	if err != nil || lease.TTL != 1 {
		t.Fatalf("a lease of one second: %v, %v", lease, err)
	}
	put(ctx, t, cli, "kept", "1")
	started[1].Close()
	put(ctx, t, cli, "kept", "2")
	start(1)
	if status, err := cli.Status(ctx, c.Endpoints()[1]); err != nil || status.Leader == 0 {
		t.Errorf("the member that came back: %v, %v", status, err)
	}
	if _, err := devserver.StartEtcdMember(ctx, devserver.EtcdMember{Names: []string{"a"}, Dir: t.TempDir()}); err == nil {
		t.Error("a member without ports was started")
	}
}
