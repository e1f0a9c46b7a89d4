package etcdlock_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
)

// One Locker for the process, on a client that is closed after it.
func ExampleNew() {
	run := func() (err error) {
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{"127.0.0.1:2379"}})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, client.Close()) }()
		locker, err := etcdlock.New(client, &etcdlock.Options{
			TTL:     10 * time.Second,
			Service: "billing",
		})
		if err != nil {
			return err
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			err = errors.Join(err, locker.Close(ctx))
		}()
		// Hand the locker to everything that takes locks.
		return nil
	}
	fmt.Println(run())
	// Output: <nil>
}

// twoProcesses returns Lockers on an etcd in memory.
func twoProcesses() (first, second *etcdlock.Locker, closeAll func()) {
	cluster := locktest.NewCluster()
	first, err := cluster.NewLocker(&etcdlock.Options{Service: "first"})
	if err != nil {
		log.Fatal(err)
	}
	second, err = cluster.NewLocker(&etcdlock.Options{Service: "second"})
	if err != nil {
		log.Fatal(err)
	}
	return first, second, func() {
		if err := cluster.Close(); err != nil {
			log.Fatal(err)
		}
	}
}

func ExampleLocker_Do() {
	locker, _, closeAll := twoProcesses()
	defer closeAll()
	ctx := context.Background()

	stock := 3
	err := locker.Do(ctx, "stock", func(ctx context.Context) error {
		// ctx ends when the lock is lost: hand it to everything done here.
		stock--
		return ctx.Err()
	})
	fmt.Println(stock, err)
	// Output: 2 <nil>
}

// The deadline of ctx bounds the wait, not the hold.
func ExampleLocker_Lock() {
	first, second, closeAll := twoProcesses()
	defer closeAll()
	ctx := context.Background()

	held, err := first.Lock(ctx, "order")
	if err != nil {
		fmt.Println(err)
		return
	}
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	_, err = second.Lock(short, "order")
	fmt.Println("busy:", errors.Is(err, etcdlock.ErrTimeout))

	if err := held.Unlock(ctx); err != nil {
		fmt.Println(err)
		return
	}
	next, err := second.Lock(ctx, "order")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("a greater token:", next.Token() > held.Token())
	if err := next.Unlock(ctx); err != nil {
		fmt.Println(err)
		return
	}
	// Output:
	// busy: true
	// a greater token: true
}

func ExampleLocker_TryLock() {
	first, second, closeAll := twoProcesses()
	defer closeAll()
	ctx := context.Background()

	held, err := first.TryLock(ctx, "nightly-report")
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := second.TryLock(ctx, "nightly-report"); errors.Is(err, etcdlock.ErrHeld) {
		fmt.Println("another process writes the report")
	}
	if err := held.Unlock(ctx); err != nil {
		fmt.Println(err)
		return
	}
	// Output: another process writes the report
}

// All names in one call: callers whose sets overlap do not deadlock.
func ExampleLocker_Lock_several() {
	locker, _, closeAll := twoProcesses()
	defer closeAll()
	ctx := context.Background()

	transfer, err := locker.Lock(ctx, "account/7", "account/3")
	if err != nil {
		fmt.Println(err)
		return
	}
	three, _ := transfer.TokenOf("account/3")
	seven, _ := transfer.TokenOf("account/7")
	fmt.Println("taken in sorted order:", three < seven)
	if err := transfer.Unlock(ctx); err != nil {
		fmt.Println(err)
		return
	}
	// Output: taken in sorted order: true
}

// A function that takes the lock may be called by one that holds it, if it is
// given the context of the hold.
func ExampleLock_Context() {
	locker, _, closeAll := twoProcesses()
	defer closeAll()

	save := func(ctx context.Context) error {
		return locker.Do(ctx, "order", func(context.Context) error {
			fmt.Println("saved")
			return nil
		})
	}
	err := locker.Do(context.Background(), "order", func(ctx context.Context) error {
		return save(ctx)
	})
	fmt.Println(err)
	// Output:
	// saved
	// <nil>
}

func ExampleLocker_Holders() {
	first, second, closeAll := twoProcesses()
	defer closeAll()
	ctx := context.Background()

	held, err := first.Lock(ctx, "order")
	if err != nil {
		fmt.Println(err)
		return
	}
	holders, err := second.Holders(ctx, "order")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, h := range holders {
		fmt.Println(h.Name, h.Service, h.Waiting)
	}
	if err := held.Unlock(ctx); err != nil {
		fmt.Println(err)
		return
	}
	// Output: order first false
}

// A lock that ends by itself, whatever becomes of its holder.
func ExampleLocker_LockWithTTL() {
	locker, _, closeAll := twoProcesses()
	defer closeAll()

	lock, err := locker.LockWithTTL(context.Background(), 2*time.Second, "maintenance")
	if err != nil {
		fmt.Println(err)
		return
	}
	<-lock.Context().Done()
	fmt.Println("over:", errors.Is(context.Cause(lock.Context()), etcdlock.ErrLost))
	// Output: over: true
}

// Work that takes longer than its term begins the term again, before it is over.
func ExampleLock_Extend() {
	locker, _, closeAll := twoProcesses()
	defer closeAll()
	ctx := context.Background()

	lock, err := locker.TryLockWithTTL(ctx, 10*time.Second, "import")
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 { // pages of the import
		if lock.Remaining() < time.Minute {
			if err := lock.Extend(ctx, 2*time.Minute); err != nil {
				fmt.Println(err)
				return
			}
		}
	}
	fmt.Println("more than a minute remains:", lock.Remaining() > time.Minute)
	if err := lock.Unlock(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: more than a minute remains: true
}

// register is a store that enforces fencing tokens itself: it keeps the newest that it has
// accepted, and looks at it in the same transaction as it writes.
type register struct {
	mu     sync.Mutex
	stored etcdlock.FencingToken
	value  string
}

func (r *register) write(token etcdlock.FencingToken, value string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !token.Succeeds(r.stored) {
		return errors.New("refused: a later holder has written")
	}
	r.stored, r.value = token, value
	return nil
}

// A holder that was away while its lock was taken from it is refused by the store. Draw one
// token for each try at a write.
func ExampleFencingToken() {
	first, second, closeAll := twoProcesses()
	defer closeAll()
	ctx := context.Background()
	var store register

	late, err := first.Lock(ctx, "order")
	if err != nil {
		fmt.Println(err)
		return
	}
	token, _ := late.FencingToken("order") // and then its process stops for a while
	k, err := second.ForceLock(ctx, "order")
	if err != nil {
		fmt.Println(err)
		return
	}
	newer, _ := k.FencingToken("order")
	fmt.Println("second:", store.write(newer, "new"))
	fmt.Println("first:", store.write(token, "old"))
	<-late.Context().Done()
	fmt.Println("first lost its lock:", errors.Is(late.Unlock(ctx), etcdlock.ErrLost))
	if err := k.Unlock(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// second: <nil>
	// first: refused: a later holder has written
	// first lost its lock: true
}
