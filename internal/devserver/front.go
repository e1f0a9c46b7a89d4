package devserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// front listens in the place of a server and serves each connection together
// with one of its own to that server. It knows every connection, so that close
// can end them all: the servers behind it leave some open for seconds.
type front struct {
	listener net.Listener
	target   string
	serve    func(client, server net.Conn)

	ctx    context.Context // ends dials when the front closes
	cancel context.CancelFunc

	wg     sync.WaitGroup
	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{}
}

// openFront listens on addr. serve runs in a goroutine of its own and returns
// when the pair is finished; both connections are then closed.
func openFront(addr, target string, serve func(client, server net.Conn)) (*front, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening in front of %s: %w", target, err)
	}
	f := &front{listener: l, target: target, serve: serve, conns: map[net.Conn]struct{}{}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.wg.Go(f.accept)
	return f, nil
}

func (f *front) accept() {
	for {
		c, err := f.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // a client that gave up before it was accepted
		}
		f.wg.Go(func() { f.pair(c) })
	}
}

func (f *front) pair(client net.Conn) {
	defer f.drop(client)
	if !f.track(client) {
		return
	}
	var d net.Dialer
	server, err := d.DialContext(f.ctx, "tcp", f.target)
	if err != nil {
		return
	}
	defer f.drop(server)
	if f.track(server) {
		f.serve(client, server)
	}
}

// track reports whether the front is still open; only then c is remembered.
func (f *front) track(c net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.conns[c] = struct{}{}
	return true
}

func (f *front) drop(c net.Conn) {
	c.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
}

// close ends the listener and every connection and waits for their goroutines.
func (f *front) close() {
	f.mu.Lock()
	f.closed = true
	for c := range f.conns {
		c.Close()
	}
	f.mu.Unlock()
	f.cancel()
	f.listener.Close()
	f.wg.Wait()
}

// relay copies both ways until one side ends.
func relay(client, server net.Conn) {
	var wg sync.WaitGroup
	oneWay := func(dst, src net.Conn) {
		_, _ = io.Copy(dst, src) // the end of a connection is not news
		dst.Close()
		src.Close()
	}
	wg.Go(func() { oneWay(server, client) })
	oneWay(client, server)
	wg.Wait()
}
