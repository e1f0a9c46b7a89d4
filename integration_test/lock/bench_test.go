package lock_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

// The shared etcd of the tests does not fsync, so these tell what is spent on
// requests and in the process, whose allocations the server's are among;
// internal/cmd/bench measures with the disk and without the server.

// lockAndUnlock takes the i-th lock of a benchmark and gives it back.
type lockAndUnlock func(ctx context.Context, i int64) error

func withLock(ctx context.Context, l *etcdlock.Locker, name string) error {
	k, err := l.Lock(ctx, name)
	if err != nil {
		return err
	}
	return k.Unlock(ctx)
}

func benchSession(b *testing.B, cli *clientv3.Client) *concurrency.Session {
	b.Helper()
	s, err := concurrency.NewSession(cli, concurrency.WithTTL(10))
	check.Must(b, err)
	b.Cleanup(func() { s.Close() })
	return s
}

func withMutex(ctx context.Context, s *concurrency.Session, name string) error {
	m := concurrency.NewMutex(s, name)
	if err := m.Lock(ctx); err != nil {
		return err
	}
	return m.Unlock(ctx)
}

// BenchmarkLockUncontended takes names that nobody has used before. The
// baseline is one write of etcd's client; a lock and its release are two.
func BenchmarkLockUncontended(b *testing.B) {
	run := func(b *testing.B, cycle lockAndUnlock) {
		b.Helper()
		b.ReportAllocs()
		check.Must(b, cycle(b.Context(), -1)) // connecting is no part of it
		for i := int64(0); b.Loop(); i++ {
			check.Must(b, cycle(b.Context(), i))
		}
	}
	b.Run("Put", func(b *testing.B) {
		cli, base := embedded.EtcdClient(b), servers.UniqueName("bench-")
		b.Cleanup(func() {
			_, err := cli.Delete(context.Background(), base, clientv3.WithPrefix())
			check.Must(b, err)
		})
		run(b, func(ctx context.Context, i int64) error {
			_, err := cli.Put(ctx, base+strconv.FormatInt(i, 10), "")
			return err
		})
	})
	b.Run("Mutex", func(b *testing.B) {
		s, base := benchSession(b, embedded.EtcdClient(b)), servers.UniqueName("bench-")
		run(b, func(ctx context.Context, i int64) error { return withMutex(ctx, s, base+strconv.FormatInt(i, 10)) })
	})
	b.Run("etcdlock", func(b *testing.B) {
		l := locks.BenchLocker(b)
		run(b, func(ctx context.Context, i int64) error { return withLock(ctx, l, strconv.FormatInt(i, 10)) })
	})
}

// BenchmarkLockAgain takes one name again and again, by one goroutine.
func BenchmarkLockAgain(b *testing.B) {
	b.Run("Mutex", func(b *testing.B) {
		s, name := benchSession(b, embedded.EtcdClient(b)), servers.UniqueName("bench-")
		b.ReportAllocs()
		check.Must(b, withMutex(b.Context(), s, name))
		for b.Loop() {
			check.Must(b, withMutex(b.Context(), s, name))
		}
	})
	b.Run("etcdlock", func(b *testing.B) {
		l := locks.BenchLocker(b)
		b.ReportAllocs()
		for b.Loop() {
			check.Must(b, withLock(b.Context(), l, "again"))
		}
	})
}

// BenchmarkLock64Goroutines takes one name by 64 goroutines of one process.
// Each Mutex has a session of its own: two on one session would not exclude
// each other.
func BenchmarkLock64Goroutines(b *testing.B) {
	const goroutines = 64
	run := func(b *testing.B, cycles []lockAndUnlock) {
		b.Helper()
		b.ReportAllocs()
		var done atomic.Int64
		errs := make([]error, len(cycles))
		b.ResetTimer()
		var wg sync.WaitGroup
		for g, cycle := range cycles {
			wg.Go(func() {
				for i := done.Add(1); i <= int64(b.N) && errs[g] == nil; i = done.Add(1) {
					errs[g] = cycle(b.Context(), i)
				}
			})
		}
		wg.Wait()
		b.StopTimer()
		check.Must(b, errors.Join(errs...))
	}
	b.Run("Mutex", func(b *testing.B) {
		cli, name := embedded.EtcdClient(b), servers.UniqueName("bench-")
		cycles := make([]lockAndUnlock, goroutines)
		for g := range cycles {
			s := benchSession(b, cli)
			cycles[g] = func(ctx context.Context, _ int64) error { return withMutex(ctx, s, name) }
		}
		run(b, cycles)
	})
	b.Run("etcdlock", func(b *testing.B) {
		l := locks.BenchLocker(b)
		cycles := make([]lockAndUnlock, goroutines)
		for g := range cycles {
			cycles[g] = func(ctx context.Context, _ int64) error { return withLock(ctx, l, "hot") }
		}
		run(b, cycles)
	})
}
