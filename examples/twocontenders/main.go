// Command twocontenders shows two contenders for one lock, both of which give
// it back: the second waits for the first, and no longer. It starts an etcd of
// its own and takes a few seconds.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/internal/devserver"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "twocontenders-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := devserver.StartEtcd(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()

	start := time.Now()
	say := func(who, what string) { fmt.Printf("%5.2fs  %s: %s\n", time.Since(start).Seconds(), who, what) }

	first := make(chan struct{}) // closed when the first one has the lock
	var group errgroup.Group
	contend := func(who string, wait <-chan struct{}, held chan<- struct{}) {
		group.Go(func() (err error) {
			// A process of its own in real life: own client, own Locker.
			client, err := server.Client()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, client.Close()) }()
			locker, err := etcdlock.New(client, &etcdlock.Options{Service: who})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, locker.Close(context.Background())) }()

			<-wait
			say(who, "wants the lock")
			// Do gives the lock back however the function ends.
			return locker.Do(ctx, "order", func(ctx context.Context) error {
				say(who, "has the lock and works")
				close(held)
				defer say(who, "gives the lock back")
				return work(ctx, time.Second)
			})
		})
	}
	now := make(chan struct{})
	close(now)
	contend("one", now, first)
	contend("two", first, make(chan struct{}))
	return group.Wait()
}

// work takes a while, and stops when its context does: when the lock is lost,
// or the program is interrupted.
func work(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
