//go:build linux

package etcd

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// Ensure that a connection to etcd is probed when it is silent: the settings add
// up to less than the time to live of a lock.
func TestDialer_KeepAlive(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, test := range []struct {
		c           settings
		idle, count int
	}{
		{settings{}, 3, 3},
		{settings{KeepAliveTime: 5 * time.Second, KeepAliveTimeout: 2 * time.Second}, 5, 2},
	} {
		test.c.Endpoints = []string{"http://" + l.Addr().String()}
		conn, err := test.c.dialer().dial(t.Context(), l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []struct{ level, name, want int }{
			{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
			{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, test.idle},
			{syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 1},
			{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, test.count},
		} {
			var got int
			var optErr error
			err := raw.Control(func(fd uintptr) { got, optErr = syscall.GetsockoptInt(int(fd), o.level, o.name) })
			if err != nil || optErr != nil || got != o.want {
				t.Errorf("option %d is %d, want %d (%v %v)", o.name, got, o.want, err, optErr)
			}
		}
	}
}
