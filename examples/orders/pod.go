package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/examples/orders/shop"
	"github.com/holdfast-go/holdfast/repo"
)

// cursorVariable names the key that signs cursors, of 32 bytes or more: a secret that all
// pods share.
const cursorVariable = "ORDERS_CURSOR_KEY"

// grace is how long requests that run may take to end when the pod stops. It is less
// than the 30 seconds after which Kubernetes kills.
const grace = 10 * time.Second

type podOptions struct {
	listen    string
	ttl       time.Duration
	cursorKey string
}

// runPod serves until ctx ends, then lets the running requests end. It prints its URL
// when it listens.
func runPod(ctx context.Context, cfg drivers.Config, o podOptions, out io.Writer) (err error) {
	cursors, err := repo.NewCursors([]byte(o.cursorKey))
	if err != nil {
		return fmt.Errorf("reading %s: %w", cursorVariable, err)
	}
	c, err := connect(ctx, cfg, o.ttl)
	if err != nil {
		return err
	}
	// What stops accepting work comes first, so this is deferred before the server starts.
	defer func() { err = errors.Join(err, c.close(context.WithoutCancel(ctx))) }()
	stores, err := openStores(c)
	if err != nil {
		return err
	}
	handler, err := shop.NewHandler(&shop.Service{Stores: stores}, shop.HandlerOptions{
		Cursors: cursors, Ready: c.ready, Log: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "http://%s\n", listener.Addr())
	return serve(ctx, listener, handler)
}

// serve answers requests until ctx ends. It returns when the last request was answered,
// or the grace is over.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return errors.Join(server.Shutdown(ctx), server.Close())
}
