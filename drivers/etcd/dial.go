package etcd

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/holdfast-go/holdfast/drivers/config"
)

// dialer opens the connections of the etcd client.
type dialer struct {
	net   net.Dialer
	proxy func(addr string, secure bool) (*url.URL, error) // nil: none
	tls   bool                                             // what the endpoints speak, to choose between HTTP_PROXY and HTTPS_PROXY
}

func (c settings) dialer() dialer {
	idle := cmp.Or(c.KeepAliveTime, config.DefaultKeepAliveTime)
	timeout := cmp.Or(c.KeepAliveTimeout, config.DefaultKeepAliveTimeout)
	d := dialer{
		net: net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
			Enable:   true,
			Idle:     idle,
			Interval: time.Second,
			Count:    int(max(timeout/time.Second, 1)),
		}},
		tls: c.secure(),
	}
	switch c.Proxy {
	case "":
	case config.ProxyFromEnvironment:
		// Read again for each client, unlike http.ProxyFromEnvironment, which
		// reads once in the life of the process.
		lookup := httpproxy.FromEnvironment().ProxyFunc()
		d.proxy = func(addr string, secure bool) (*url.URL, error) {
			return lookup(&url.URL{Scheme: map[bool]string{true: "https", false: "http"}[secure], Host: addr})
		}
	default:
		u, err := url.Parse(c.Proxy)
		d.proxy = func(string, bool) (*url.URL, error) { return u, err }
	}
	return d
}

func (c settings) secure() bool {
	eps, err := config.EtcdConfig(c).Resolve()
	return err == nil && eps[0].TLS
}

func checkProxyScheme(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("names a proxy that is not an HTTP proxy; others, SOCKS among them, are not supported")
	}
	return nil
}

func (d dialer) dial(ctx context.Context, addr string) (net.Conn, error) {
	if d.proxy == nil {
		return d.net.DialContext(ctx, "tcp", addr)
	}
	u, err := d.proxy(addr, d.tls)
	if err != nil {
		return nil, &proxyError{proxy: "of the environment", cause: errors.New("its URL is malformed")}
	}
	if u == nil {
		return d.net.DialContext(ctx, "tcp", addr)
	}
	conn, err := d.tunnel(ctx, u, addr)
	if err != nil {
		return nil, &proxyError{proxy: u.Scheme + "://" + u.Host, cause: err}
	}
	return conn, nil
}

// tunnel asks the proxy for a connection to addr by CONNECT.
func (d dialer) tunnel(ctx context.Context, u *url.URL, addr string) (net.Conn, error) {
	if err := checkProxyScheme(u); err != nil {
		return nil, err
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	conn, err := d.net.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)))
	if err != nil {
		return nil, err
	}
	if u.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()})
	}
	stop := interruptible(ctx, conn)
	err = connectThrough(conn, u, addr)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func connectThrough(conn net.Conn, u *url.URL, addr string) error {
	var req bytes.Buffer
	fmt.Fprintf(&req, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", addr, addr)
	if u.User != nil {
		password, _ := u.User.Password()
		token := base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
		fmt.Fprintf(&req, "Proxy-Authorization: Basic %s\r\n", token)
	}
	req.WriteString("\r\n")
	if _, err := conn.Write(req.Bytes()); err != nil {
		return err
	}
	// Byte by byte, because what follows the head belongs to the tunnel.
	const most = 8 << 10
	head := make([]byte, 0, 256)
	one := make([]byte, 1)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		if len(head) == most {
			return errors.New("it does not answer like an HTTP proxy")
		}
		if _, err := conn.Read(one); err != nil {
			return err
		}
		head = append(head, one[0])
	}
	line, _, _ := strings.Cut(string(head), "\r\n")
	parts := strings.SplitN(line, " ", 3)
	if len(parts) < 2 || !strings.HasPrefix(parts[0], "HTTP/") {
		return errors.New("it does not answer like an HTTP proxy")
	}
	code, err := strconv.Atoi(parts[1])
	if err != nil {
		return errors.New("it does not answer like an HTTP proxy")
	}
	if code != http.StatusOK {
		return fmt.Errorf("it refuses the connection with status %d %s", code, http.StatusText(code))
	}
	return nil
}

// interruptible makes I/O on conn fail once ctx is over. The function that it
// returns ends this and says whether ctx was still alive.
func interruptible(ctx context.Context, conn net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
}

// proxyError says that the way through the proxy failed, which is never etcd's
// fault.
type proxyError struct {
	proxy string // without its user and password
	cause error
}

func (e *proxyError) Error() string { return "proxy " + e.proxy + ": " + e.cause.Error() }
func (e *proxyError) Unwrap() error { return e.cause }

// proxyVariable gives the name of a proxy variable that is set, or "".
func proxyVariable() string {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} {
		if os.Getenv(name) != "" {
			return name
		}
	}
	return ""
}
