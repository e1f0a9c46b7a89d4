package locks

import (
	"context"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

// BenchLocker returns a Locker with its session up, in a namespace of its own.
func BenchLocker(b *testing.B) *etcdlock.Locker {
	b.Helper()
	l, err := etcdlock.New(embedded.EtcdClient(b), &etcdlock.Options{Namespace: servers.UniqueName("bench-")})
	check.Must(b, err)
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			b.Error(err)
		}
	})
	check.Must(b, l.Do(b.Context(), "warm-up", func(context.Context) error { return nil }))
	return l
}
