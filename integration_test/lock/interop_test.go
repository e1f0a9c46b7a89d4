package lock_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/children"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

// foreign is another implementation of a lock on the same name.
type foreign interface {
	// lock waits for the lock and returns how to give it back.
	lock(ctx context.Context, name string) (unlock func() error, err error)
}

// mutex is the lock of etcd's client library.
type mutex struct{ cli *clientv3.Client }

func (m mutex) lock(ctx context.Context, name string) (func() error, error) {
	session, err := concurrency.NewSession(m.cli)
	if err != nil {
		return nil, err
	}
	mu := concurrency.NewMutex(session, name)
	if err := mu.Lock(ctx); err != nil {
		return nil, errors.Join(err, session.Close())
	}
	return func() error { return errors.Join(mu.Unlock(context.Background()), session.Close()) }, nil
}

// service is the lock service of the etcd server, which jetcd calls, used the
// way the Java starter does: a lease that nobody renews.
type service struct {
	cli *clientv3.Client
	ttl int64 // in seconds
}

func (s service) lock(ctx context.Context, name string) (func() error, error) {
	lease, err := s.cli.Grant(ctx, s.ttl)
	if err != nil {
		return nil, err
	}
	rpc := v3lockpb.NewLockClient(s.cli.ActiveConnection())
	resp, err := rpc.Lock(ctx, &v3lockpb.LockRequest{Name: []byte(name), Lease: int64(lease.ID)})
	if err != nil {
		return nil, err
	}
	return func() error {
		if _, err := rpc.Unlock(context.Background(), &v3lockpb.UnlockRequest{Key: resp.Key}); err != nil {
			return err
		}
		_, err := s.cli.Revoke(context.Background(), lease.ID)
		return err
	}, nil
}

// etcdctl is the real etcdctl lock, as a process of its own that holds the
// lock while a command runs. The command reads its standard input to the end.
type etcdctl struct {
	t         *testing.T
	endpoints []string
}

func (e etcdctl) lock(ctx context.Context, name string) (func() error, error) {
	cmd := children.Command(ctx, e.t, "etcdctl", "--endpoints="+strings.Join(e.endpoints, ","), "lock", name)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// It prints its key once it holds the lock.
	if n, err := stdout.Read(make([]byte, 1)); n == 0 {
		return nil, errors.Join(err, cmd.Wait())
	}
	return func() error {
		// etcdctl gives the lock back when it is interrupted, and then ends
		// itself by the same signal.
		if err := interrupt(cmd.Process); err != nil {
			return err
		}
		_ = cmd.Wait()
		return nil
	}, nil
}

// On one name, Holdfast and every other implementation exclude each other, in
// both directions and in the order of arrival.
func TestLockInterop(t *testing.T) {
	t.Parallel()
	endpoints := embedded.EtcdEndpoints(t)
	cli := embedded.EtcdClient(t)
	for name, other := range map[string]foreign{
		"Mutex":   mutex{cli},
		"V3Lock":  service{cli, 30},
		"Etcdctl": etcdctl{t, endpoints},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, time.Minute)
			f := locks.NewFleet(t, endpoints)
			l := f.Locker(&etcdlock.Options{RawNames: true})
			lock := servers.UniqueName("interop-")
			queue := func(n int) { locks.AwaitQueue(ctx, t, f.Cli, lock+"/", n) }

			// They hold, we wait.
			unlock, err := other.lock(ctx, lock)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.TryLock(ctx, lock); !errors.Is(err, etcdlock.ErrHeld) {
				t.Fatalf("TryLock while the other holds: %v", err)
			}
			if holders, err := l.Holders(ctx, lock); err != nil || len(holders) != 1 || holders[0].PID != 0 {
				t.Errorf("holders: %+v, %v", holders, err)
			}
			ours := goLock(func() (*etcdlock.Lock, error) { return l.Lock(ctx, lock) })
			queue(2)
			if err := unlock(); err != nil {
				t.Fatal(err)
			}
			k, err := ours.wait(ctx, t)
			if err != nil {
				t.Fatal(err)
			}

			// We hold, they wait, and one of us waits behind them.
			var theirs func() error
			done := make(chan error, 1)
			go func() {
				var err error
				theirs, err = other.lock(ctx, lock)
				done <- err
			}()
			queue(2)
			last := f.Locker(&etcdlock.Options{RawNames: true})
			ours = goLock(func() (*etcdlock.Lock, error) { return last.Lock(ctx, lock) })
			queue(3)
			select {
			case err := <-done:
				t.Fatalf("the other got in while we hold the lock: %v", err)
			default:
			}
			locks.MustUnlock(ctx, t, k)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			select {
			case <-ours.done:
				t.Fatal("we got in while the other holds the lock")
			default:
			}
			if err := theirs(); err != nil {
				t.Fatal(err)
			}
			if k, err = ours.wait(ctx, t); err != nil {
				t.Fatal(err)
			}
			locks.MustUnlock(ctx, t, k)
			queue(0)
		})
	}
}
