package drivers_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/internal/devserver"
)

// Ensure that logging in works, that a refused login says so without the
// password, and that the permissions that the documentation names are enough to
// connect and to be healthy.
func TestDriversAuthentication(t *testing.T) {
	t.Parallel()
	const secret = "s3cr!t~canary"
	server, err := devserver.StartEtcd(check.Bounded(t, time.Minute), t.TempDir(), &devserver.EtcdOptions{UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	admin, err := server.Client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	ctx := check.Bounded(t, time.Minute)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(admin.UserAdd(ctx, "root", secret+"root"))
	must(admin.UserGrantRole(ctx, "root", "root"))
	must(admin.RoleAdd(ctx, "locks"))
	must(admin.RoleGrantPermission(ctx, "locks", "holdfast/", clientv3.GetPrefixRangeEnd("holdfast/"), clientv3.PermissionType(clientv3.PermReadWrite)))
	// With RawNames every lock name is a prefix of its own.
	must(admin.RoleGrantPermission(ctx, "locks", "com.acme.Order/", clientv3.GetPrefixRangeEnd("com.acme.Order/"), clientv3.PermissionType(clientv3.PermReadWrite)))
	must(admin.UserAdd(ctx, "orders", secret))
	must(admin.UserGrantRole(ctx, "orders", "locks"))
	must(admin.AuthEnable(ctx))

	c := drivers.EtcdConfig{Endpoints: server.Endpoints(), Username: "orders", Password: secret}
	cli := openEtcd(t, c)
	if _, err := cli.Put(ctx, "holdfast/x", "v"); err != nil {
		t.Error(err)
	}
	if _, err := cli.Put(ctx, "elsewhere", "v"); !errors.Is(err, rpctypes.ErrPermissionDenied) {
		t.Errorf("a key outside the namespace: %v", err)
	}
	if health, err := drivers.Check(ctx, cli); err != nil || len(health) != 1 || !health[0].Healthy() || health[0].Storage.Revision == 0 || health[0].Storage.Size == 0 {
		t.Errorf("%v %v", health, err)
	}

	for name, raw := range map[string]bool{"anything/at all": false, "com.acme.Order": true} {
		locker, err := etcdlock.New(cli, &etcdlock.Options{RawNames: raw})
		if err != nil {
			t.Fatal(err)
		}
		lock, err := locker.Lock(ctx, name)
		if err != nil {
			t.Errorf("lock %q: %v", name, err)
		} else if err := lock.Unlock(ctx); err != nil {
			t.Errorf("unlock %q: %v", name, err)
		}
		if err := locker.Close(ctx); err != nil {
			t.Error(err)
		}
	}

	for name, c := range map[string]drivers.EtcdConfig{
		"WrongPassword": {Endpoints: server.Endpoints(), Username: "orders", Password: secret + "wrong"},
		"UnknownUser":   {Endpoints: server.Endpoints(), Username: "nobody", Password: secret},
	} {
		_, err = drivers.OpenEtcd(ctx, c)
		if !isAuthenticationError(err) || !errors.Is(err, rpctypes.ErrAuthFailed) ||
			!strings.Contains(err.Error(), `log in as "`+c.Username+`"`) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = drivers.OpenEtcd(ctx, drivers.EtcdConfig{Endpoints: server.Endpoints()})
	if !isAuthenticationError(err) || !errors.Is(err, rpctypes.ErrUserEmpty) || !strings.Contains(err.Error(), "etcd.username is not set") {
		t.Errorf("without a user: %v", err)
	}
}

// isAuthenticationError says that err is told apart from a server that is not
// there.
func isAuthenticationError(err error) bool {
	return errors.Is(err, drivers.ErrAuthentication) && !errors.Is(err, drivers.ErrUnavailable)
}
