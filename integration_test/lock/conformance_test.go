package lock_test

import (
	"context"
	"fmt"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

func TestLockConformance_Namespace(t *testing.T) {
	t.Parallel()
	endpoints := embedded.EtcdEndpoints(t)
	locktest.Run(t, func(t *testing.T) locktest.Harness {
		t.Helper()
		namespace := servers.UniqueName("test-") + "/"
		h := etcdHarness(t, endpoints, namespace, etcdlock.Options{Namespace: namespace, RequestTimeout: locks.Patience})
		h.Features = locktest.AllFeatures()
		return h
	})
}

func TestLockConformance_RawNames(t *testing.T) {
	t.Parallel()
	// The names of the suite stand in this etcd verbatim, so it is shared with no
	// other test.
	endpoints := embedded.OwnEtcd(t).Endpoints()
	locktest.Run(t, func(t *testing.T) locktest.Harness {
		t.Helper()
		h := etcdHarness(t, endpoints, "", etcdlock.Options{RawNames: true, Linger: etcdlock.NoLinger, RequestTimeout: locks.Patience})
		h.Features = locktest.AllFeatures()
		return h
	})
}

// etcdHarness has each Locker on a connection of its own, as in a process of its
// own. prefix is what all keys of the test begin with.
func etcdHarness(t *testing.T, endpoints []string, prefix string, opts etcdlock.Options) locktest.Harness {
	t.Helper()
	outside := embedded.NewEtcdClient(t, endpoints)
	observer := conformanceLocker(t, outside, opts) // never locks
	return locktest.Harness{
		New: func() locktest.Locker {
			return locktest.Adapt(conformanceLocker(t, embedded.NewEtcdClient(t, endpoints), opts))
		},
		Break: func(ctx context.Context, name string) error {
			holders, err := observer.Holders(ctx, name)
			if err != nil {
				return err
			}
			if len(holders) == 0 {
				return fmt.Errorf("nobody holds %q", name)
			}
			_, err = outside.Revoke(ctx, clientv3.LeaseID(holders[0].Lease))
			return err
		},
		Queue: func(ctx context.Context, name string) (int, error) {
			holders, err := observer.Holders(ctx, name)
			return len(holders), err
		},
		Leftovers: func(ctx context.Context) ([]string, error) {
			resp, err := outside.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
			if err != nil {
				return nil, err
			}
			var keys []string
			for _, kv := range resp.Kvs {
				keys = append(keys, string(kv.Key))
			}
			return keys, nil
		},
	}
}

// conformanceLocker is closed by the suite, which looks at what Close says.
func conformanceLocker(t *testing.T, cli *clientv3.Client, opts etcdlock.Options) *etcdlock.Locker {
	t.Helper()
	l, err := etcdlock.New(cli, &opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
