// Command sharedclient shows one etcd client and one Locker for all locks of a
// process. A goroutine keeps its lock for a while; the other enters right after
// the unlock, and a third one with another lock does not wait at all. It starts
// an etcd of its own and takes a few seconds.
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
	dir, err := os.MkdirTemp("", "sharedclient-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := devserver.StartEtcd(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()

	// Made once, shared by everything, and closed in the reverse order.
	client, err := server.Client()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	locker, err := etcdlock.New(client, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, locker.Close(context.Background())) }()

	start := time.Now()
	say := func(who, what string) { fmt.Printf("%5.2fs  %-8s %s\n", time.Since(start).Seconds(), who, what) }

	held, err := locker.Lock(ctx, "order")
	if err != nil {
		return err
	}
	say("holder", "has the lock order and keeps it for two seconds")

	var group errgroup.Group
	group.Go(func() error {
		say("waiter", "wants the lock order")
		return locker.Do(ctx, "order", func(context.Context) error {
			say("waiter", "has the lock order")
			return nil
		})
	})
	group.Go(func() error {
		return locker.Do(ctx, "customer", func(context.Context) error {
			say("passer", "has the lock customer: other names do not wait")
			return nil
		})
	})
	select {
	case <-time.After(2 * time.Second):
	case <-held.Context().Done(): // lost
	case <-ctx.Done():
	}
	say("holder", "gives it back")
	// ctx may have been cancelled by now; the lock is given back all the same.
	return errors.Join(held.Unlock(context.WithoutCancel(ctx)), group.Wait())
}
