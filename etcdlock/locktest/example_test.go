package locktest_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
)

// shop is code under test: it takes a lock to sell something.
type shop struct {
	locker *etcdlock.Locker
	stock  int
}

func (s *shop) sell(ctx context.Context) error {
	return s.locker.Do(ctx, "stock", func(ctx context.Context) error {
		s.stock--
		return ctx.Err()
	})
}

// A test hands NewLocal its *testing.T, and need not close anything.
func ExampleNewLocal() {
	t := new(exampleT)
	defer t.end()

	s := shop{locker: locktest.NewLocal(t, nil), stock: 3}
	err := s.sell(context.Background())
	fmt.Println(s.stock, err)
	// Output: 2 <nil>
}

// Two Lockers of one Cluster are two processes.
func ExampleCluster() {
	cluster := locktest.NewCluster()
	defer closeCluster(cluster)
	ctx := context.Background()
	one, err := cluster.NewLocker(&etcdlock.Options{Service: "one"})
	if err != nil {
		log.Panic(err)
	}
	two, err := cluster.NewLocker(&etcdlock.Options{Service: "two"})
	if err != nil {
		log.Panic(err)
	}

	lock, err := one.Lock(ctx, "order")
	if err != nil {
		log.Panic(err)
	}
	_, err = two.TryLock(ctx, "order")
	fmt.Println("held by the other:", errors.Is(err, etcdlock.ErrHeld))
	fmt.Println(lock.Unlock(ctx))
	// Output:
	// held by the other: true
	// <nil>
}

// What does the code do when the lock is lost under its hands?
func ExampleCluster_Expire() {
	cluster := locktest.NewCluster()
	defer closeCluster(cluster)
	locker, err := cluster.NewLocker(nil)
	if err != nil {
		log.Panic(err)
	}

	err = locker.Do(context.Background(), "order", func(ctx context.Context) error {
		if err := cluster.Expire(ctx, locker, "order"); err != nil {
			return err
		}
		<-ctx.Done() // long work that listens to its context
		return context.Cause(ctx)
	})
	fmt.Println("lost:", errors.Is(err, etcdlock.ErrLost))
	// Output: lost: true
}

// And when etcd is away?
func ExampleCluster_Cut() {
	cluster := locktest.NewCluster()
	defer closeCluster(cluster)
	ctx := context.Background()
	locker, err := cluster.NewLocker(nil)
	if err != nil {
		log.Panic(err)
	}
	s := shop{locker: locker, stock: 3}

	cluster.Cut()
	_, err = locker.TryLock(ctx, "stock")
	fmt.Println("unavailable:", errors.Is(err, etcdlock.ErrUnavailable))
	cluster.Reconnect()
	fmt.Println(s.sell(ctx), s.stock)
	// Output:
	// unavailable: true
	// <nil> 2
}

// The cases run under a test of your own: see Run.
func ExampleCases() {
	for _, c := range locktest.Cases()[:6] {
		fmt.Println(c.Name)
	}
	// Output:
	// Lock/GivesAHold
	// Lock/HoldOutlivesTheCall
	// Lock/RefusesBadNames
	// Unlock/Frees
	// Unlock/WithADeadContext
	// Unlock/Twice
}

func closeCluster(c *locktest.Cluster) {
	if err := c.Close(); err != nil {
		log.Print(err) // something was still held
	}
}

// exampleT takes the place of the *testing.T that an example does not have.
type exampleT struct{ cleanups []func() }

func (t *exampleT) Helper() {}

func (t *exampleT) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *exampleT) Errorf(format string, args ...any) { fmt.Printf(format, args...) }

func (t *exampleT) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }

func (t *exampleT) end() {
	for _, f := range t.cleanups {
		f()
	}
}
