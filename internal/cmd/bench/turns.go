package main

import (
	"context"
	"net"
	"sync/atomic"
)

// turns counts the round trips on the connections that it dials: each time that
// something is sent after an answer was read begins a new one. Statements that
// are sent together, without waiting in between, are one.
type turns struct{ n atomic.Int64 }

func (t *turns) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return t.on(conn), nil
}

func (t *turns) on(conn net.Conn) net.Conn {
	c := &turnConn{Conn: conn, counted: t}
	c.answered.Store(true)
	return c
}

// turnConn counts those of one connection.
type turnConn struct {
	net.Conn
	counted *turns
	// answered tells that what comes next is a new request.
	answered atomic.Bool
}

func (c *turnConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.answered.Store(true)
	}
	return n, err
}

func (c *turnConn) Write(b []byte) (int, error) {
	if c.answered.Swap(false) {
		c.counted.n.Add(1)
	}
	return c.Conn.Write(b)
}
