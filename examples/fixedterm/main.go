// Command fixedterm shows a lock that is taken for a fixed term and never given
// back: a second contender waits, and gets the lock only when the term is over.
// It starts an etcd of its own and takes a few seconds.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/internal/devserver"
)

const term = 4 * time.Second

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "fixedterm-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := devserver.StartEtcd(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()

	// Each contender is a process of its own in real life, so each has its own
	// client and Locker here.
	contender := func(name string) (*etcdlock.Locker, func(), error) {
		client, err := server.Client()
		if err != nil {
			return nil, nil, err
		}
		locker, err := etcdlock.New(client, &etcdlock.Options{Service: name})
		if err != nil {
			return nil, nil, errors.Join(err, client.Close())
		}
		return locker, func() {
			if err := errors.Join(locker.Close(context.Background()), client.Close()); err != nil {
				log.Print(err)
			}
		}, nil
	}
	one, closeOne, err := contender("one")
	if err != nil {
		return err
	}
	defer closeOne()
	two, closeTwo, err := contender("two")
	if err != nil {
		return err
	}
	defer closeTwo()

	start := time.Now()
	say := func(format string, args ...any) {
		fmt.Printf("%5.2fs  %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
	first, err := one.LockWithTTL(ctx, term, "order")
	if err != nil {
		return err
	}
	say("one: has the lock for %v and will not give it back", term)

	say("two: wants the lock")
	second, err := two.LockWithTTL(ctx, term, "order")
	if err != nil {
		return err
	}
	// The first one has been told already: its context ended with its term.
	say("two: has the lock (one was told: %v)", context.Cause(first.Context()))
	if err := second.Unlock(ctx); err != nil {
		return err
	}
	say("two: gave it back before its term was over")
	return nil
}
