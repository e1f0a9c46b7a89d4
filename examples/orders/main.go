// Command orders is a small shop as it would run in production: an HTTP service of two
// pods, on one database and one etcd, that keep each other's changes.
//
//	go run ./examples/orders
//	go run ./examples/orders -config holdfast.yaml
//
// It makes the tables, starts two pods, which are this program twice, and prints what to
// send them. Without -config it also starts an etcd and a SQLite database in a temporary
// folder. A single pod, as a deployment has it, is
//
//	ORDERS_CURSOR_KEY=... orders -config holdfast.yaml -listen :8080
//
// Package shop is the service. It knows neither database nor lock; openStores, in
// stores.go, is the only place that does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/holdfast-go/holdfast/drivers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "orders:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, status io.Writer) (err error) {
	flags := flag.NewFlagSet("orders", flag.ContinueOnError)
	flags.SetOutput(status)
	config := flags.String("config", "", "use the servers of this `file` instead of embedded ones")
	listen := flags.String("listen", "", "be one pod, at this `address`; the tables must be there")
	ttl := flags.Duration("ttl", 10*time.Second, "how long the locks of a pod stay taken after it was killed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return errors.New("there are no arguments, only flags")
	}
	if *config == "" {
		if *listen != "" {
			return errors.New("a pod needs -config")
		}
		fmt.Fprintln(status, "starting etcd in a temporary folder")
		s, err := startServers(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		*config = s.config
	}
	cfg, err := drivers.Load(*config)
	if err != nil {
		return err
	}
	if *listen != "" {
		return runPod(ctx, cfg, podOptions{listen: *listen, ttl: *ttl, cursorKey: os.Getenv(cursorVariable)}, out)
	}
	return runPods(ctx, cfg, *config, *ttl, out, status)
}
