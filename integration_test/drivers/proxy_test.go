package drivers_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
)

// connectProxy is an HTTP proxy that sends every CONNECT to one address,
// whatever the request names.
type connectProxy struct {
	addr  string
	to    string
	auth  string // the Proxy-Authorization that it demands
	asked atomic.Int64
}

func startProxy(t *testing.T, to string) *connectProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &connectProxy{addr: l.Addr().String(), to: to}
	serveAll(t, l, func(conn net.Conn) {
		p.asked.Add(1)
		p.serve(conn)
	})
	return p
}

// serveAll serves each connection in a goroutine of its own, until the test ends.
func serveAll(t *testing.T, l net.Listener, serve func(conn net.Conn)) {
	t.Helper()
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serve(conn) })
		}
	})
}

func (p *connectProxy) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	req, err := http.ReadRequest(r)
	switch {
	case err != nil || req.Method != http.MethodConnect:
		answer(conn, "400 Bad Request")
		return
	case req.Header.Get("Proxy-Authorization") != p.auth:
		answer(conn, "407 Proxy Authentication Required")
		return
	}
	target, err := net.Dial("tcp", p.to)
	if err != nil {
		answer(conn, "502 Bad Gateway")
		return
	}
	defer target.Close()
	answer(conn, "200 Connection established")
	done := make(chan struct{}, 2)
	pump := func(to io.Writer, from io.Reader) {
		_, _ = io.Copy(to, from) // ends when either side goes
		done <- struct{}{}
	}
	go pump(target, r)
	go pump(conn, target)
	<-done
	conn.Close()
	target.Close()
	<-done
}

// answer needs no error: a client that is gone shows when the tunnel is read.
func answer(conn net.Conn, status string) {
	_, _ = io.WriteString(conn, "HTTP/1.1 "+status+"\r\n\r\n")
}

// The endpoint is named, not looked up: the proxy resolves names. An address on
// loopback would not do: no proxy variable applies to it.
const throughProxy = "https://etcd.invalid:2379"

func TestDriversProxy(t *testing.T) {
	etcd := startTLSEtcd(t, goodLeaf, 1)
	addr := strings.TrimPrefix(etcd.server.Endpoints()[0], "https://")
	proxy := startProxy(t, addr)
	named := etcd.config
	named.Endpoints = []string{throughProxy}

	t.Run("InheritedVariableIsNotUsed", func(t *testing.T) {
		t.Setenv("HTTPS_PROXY", "http://"+proxy.addr)
		t.Setenv("HTTP_PROXY", "http://"+proxy.addr)
		openEtcd(t, etcd.config)
		// No domain has such a name, so no name server is asked for it.
		direct := named
		direct.Endpoints = []string{"https://etcd..invalid:2379"}
		wantOpenEtcdError(t, direct, drivers.ErrUnavailable, new(*net.DNSError), "HTTPS_PROXY is set and not used for etcd")
		if n := proxy.asked.Load(); n != 0 {
			t.Errorf("the proxy was asked %d times", n)
		}
	})
	t.Run("UsedWhenAsked", func(t *testing.T) {
		t.Setenv("HTTPS_PROXY", "http://"+proxy.addr)
		for _, setting := range []string{drivers.ProxyFromEnvironment, "http://" + proxy.addr} {
			before := proxy.asked.Load()
			c := named
			c.Proxy = setting
			cli := openEtcd(t, c)
			if _, err := cli.Get(check.Bounded(t, 10*time.Second), "x"); err != nil {
				t.Error(err)
			}
			if health, err := drivers.Check(t.Context(), cli); err != nil {
				t.Error(health, err)
			}
			if n := proxy.asked.Load() - before; n < 3 { // the probe, the client, the check
				t.Errorf("the proxy was asked %d times", n)
			}
			cli.Close()
		}
	})
	t.Run("InTheWay", func(t *testing.T) {
		const secret = "s3cr!t~canary"
		dead := deadAddr(t)
		refusing := startProxy(t, dead)
		for setting, words := range map[string]string{
			"http://u:" + secret + "@" + dead:          "http://" + dead + ": dial tcp",
			"http://u:" + secret + "@" + refusing.addr: "http://" + refusing.addr + ": it refuses the connection with status 407",
			"http://" + refusing.addr:                  "http://" + refusing.addr + ": it refuses the connection with status 502",
			"http://" + silentAddr(t):                  "no answer within 2s",
			"http://" + addr:                           "http://" + addr, // no proxy at all, but TLS
		} {
			t.Setenv("HTTPS_PROXY", setting)
			for _, c := range []string{drivers.ProxyFromEnvironment, setting} {
				named := named
				named.Proxy = c
				in := "the proxy of etcd.proxy is in the way"
				if c == drivers.ProxyFromEnvironment {
					in = "the proxy that the environment (HTTPS_PROXY) names is in the way"
				}
				err := openEtcdError(t, named, drivers.ErrUnavailable, nil, in)
				if !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), secret) {
					t.Error(err)
				}
			}
		}
		t.Setenv("HTTPS_PROXY", "socks5://"+dead)
		named := named
		named.Proxy = drivers.ProxyFromEnvironment
		wantOpenEtcdError(t, named, drivers.ErrUnavailable, nil, "SOCKS")
		named.Proxy = "socks5://" + dead
		if _, err := drivers.OpenEtcd(t.Context(), named); !errors.Is(err, drivers.ErrInvalid) {
			t.Error(err)
		}
	})
}
