package etcd

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast-go/holdfast/drivers/config"
	"github.com/holdfast-go/holdfast/drivers/internal/openerr"
)

// EndpointError says why one endpoint of etcd cannot be used.
type EndpointError struct {
	// Endpoint is the URL of the endpoint.
	Endpoint string
	// Reason says in words what is wrong, and what to do where that is known.
	Reason string
	// Hint names a setting of the environment that may have to do with it, or
	// is empty.
	Hint string
	// Err is the cause as the network or TLS reported it.
	Err error
}

// Error implements error.
func (e *EndpointError) Error() string {
	text := e.Endpoint + ": " + e.Reason
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *EndpointError) Unwrap() error { return e.Err }

// endpointErrors are those of several endpoints, in their order.
type endpointErrors []*EndpointError

func (e endpointErrors) Error() string {
	parts := make([]string, len(e))
	for i, one := range e {
		parts[i] = one.Error()
	}
	return strings.Join(parts, "; ")
}

func (e endpointErrors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, one := range e {
		errs[i] = one
	}
	return errs
}

// openError is that of the first endpoint that was reached, if one was: what is
// wrong there cannot be seen at those that are down.
func (e endpointErrors) openError() error {
	for _, one := range e {
		if authentication(one) {
			return config.ErrAuthentication
		}
	}
	return config.ErrUnavailable
}

// authentication reports whether the endpoint was reached and one side did not
// accept the other.
func authentication(err error) bool {
	var proxied *proxyError
	return !errors.As(err, &proxied) && (openerr.Certificate(err) || refused(err))
}

// grace is how long the other endpoints may still take once one has answered. A
// member whose host is gone would otherwise delay every start by the whole
// limit and leave nothing of it for listing the members.
const grace = time.Second

// probeAll tries all endpoints at the same time.
func probeAll(ctx context.Context, eps []config.Endpoint, try func(context.Context, config.Endpoint) error) (failed endpointErrors, answered int) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type result struct {
		i   int
		err error
	}
	results := make(chan result, len(eps))
	for i, ep := range eps {
		go func() { results <- result{i, try(ctx, ep)} }()
	}
	late := time.NewTimer(grace)
	late.Stop()
	defer late.Stop()
	errs := make([]error, len(eps))
	for left := len(eps); left > 0; {
		select {
		case r := <-results:
			left--
			errs[r.i] = r.err
			if r.err == nil {
				if answered++; answered == 1 {
					late.Reset(grace)
				}
			}
		case <-late.C:
			cancel(fmt.Errorf("no answer within %v after another endpoint's: %w", grace, context.DeadlineExceeded))
		}
	}
	for _, err := range errs {
		if e, ok := errors.AsType[*EndpointError](err); ok {
			failed = append(failed, e)
		}
	}
	return failed, answered
}

// The first bytes of an HTTP/2 client: the fixed preface and an empty SETTINGS
// frame. A server answers with a SETTINGS frame, whose type is 4.
const (
	http2Preface  = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	http2Settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
)

var (
	errSpeaksTLS = errors.New("the answer to plain HTTP/2 is a TLS record")
	errNotHTTP2  = errors.New("the answer is not HTTP/2")
	errHandshake = errors.New("TLS handshake")
)

// probe finds out whether a gRPC connection to ep can work. gRPC itself keeps
// connecting in the background and reports failures as text; this gives the
// typed cause. The handshake alone would not do: in TLS 1.3 a client learns that
// its certificate is refused only when it reads.
func probe(ctx context.Context, ep config.Endpoint, d dialer, conf *tls.Config) (err error) {
	conn, err := d.dial(ctx, ep.Addr)
	if err != nil {
		return withCause(ctx, err)
	}
	defer func() { _ = conn.Close() }()
	defer interruptible(ctx, conn)()
	if conf != nil {
		conf = conf.Clone()
		conf.ServerName = cmp.Or(conf.ServerName, ep.Host)
		conf.NextProtos = []string{"h2"}
		secure := tls.Client(conn, conf)
		if err := secure.HandshakeContext(ctx); err != nil {
			return fmt.Errorf("%w: %w", errHandshake, withCause(ctx, err))
		}
		conn = secure
	}
	// A failed write is no news: the reason can still be read.
	_, writeErr := io.WriteString(conn, http2Preface+http2Settings)
	head := make([]byte, len(http2Settings))
	if _, err := io.ReadFull(conn, head); err != nil {
		return withCause(ctx, errors.Join(err, writeErr))
	}
	switch {
	case conf == nil && head[0] == 0x15: // a TLS alert
		return errSpeaksTLS
	case head[3] != 4:
		return errNotHTTP2
	}
	return nil
}

// withCause adds why ctx is over, when that is what broke the connection.
func withCause(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	switch {
	case cause == nil || errors.Is(err, cause):
		return err
	case errors.Is(err, ctx.Err()):
		return cause // which says more than ctx.Err() does
	}
	return fmt.Errorf("%w: %w", cause, err)
}

// explain puts a failed probe in words.
func (c settings) explain(ep config.Endpoint, err error) error {
	if err == nil {
		return nil
	}
	e := &EndpointError{Endpoint: ep.URL, Reason: c.reason(ep, err), Err: err}
	if name := proxyVariable(); name != "" && c.Proxy == "" && isNetwork(err) {
		e.Hint = fmt.Sprintf("%s is set and not used for etcd; etcd.proxy: %s would use it", name, config.ProxyFromEnvironment)
	}
	return e
}

func isNetwork(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func (c settings) reason(ep config.Endpoint, err error) string {
	var (
		proxied   *proxyError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		hostname  x509.HostnameError
		record    tls.RecordHeaderError
		dns       *net.DNSError
	)
	switch {
	case errors.As(err, &proxied):
		if c.Proxy == config.ProxyFromEnvironment {
			return "the proxy that the environment (" + cmp.Or(proxyVariable(), "HTTPS_PROXY") + ") names is in the way"
		}
		return "the proxy of etcd.proxy is in the way"
	case errors.As(err, &dns):
		return "the host name is unknown"
	case errors.Is(err, syscall.ECONNREFUSED) || isWindowsRefused(err):
		return "nothing listens there"
	case errors.As(err, &authority):
		if c.CA == "" {
			return "its certificate is signed by an authority that the system does not trust; set etcd.ca"
		}
		return "its certificate is signed by an authority that is not in etcd.ca"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate has expired or is not valid yet"
	case errors.As(err, &hostname):
		return "its certificate is for other names than " + cmp.Or(c.ServerName, ep.Host)
	case errors.As(err, &record):
		return "it does not speak TLS; is it an http endpoint?"
	case errors.Is(err, errSpeaksTLS):
		return "it speaks TLS; is it an https endpoint?"
	case errors.Is(err, errNotHTTP2):
		return "it is not an etcd endpoint"
	}
	if alert := openerr.Alert(err); alert != "" {
		return c.refused(alert)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded):
		return "it does not answer"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET):
		switch {
		case errors.Is(err, errHandshake):
			return "it closed the connection; is it an http endpoint?"
		case !ep.TLS:
			return "it closed the connection; is it an https endpoint?"
		case c.Cert == "":
			return "it closed the connection, perhaps for want of a client certificate (etcd.cert, etcd.key)"
		}
		return "it closed the connection"
	}
	return "no connection"
}

// refused says what the server's TLS alert means.
func (c settings) refused(alert string) string {
	switch {
	case c.Cert == "" && (strings.Contains(alert, "certificate") || strings.Contains(alert, "handshake failure")):
		return "it demands a client certificate, and none is configured (etcd.cert, etcd.key)"
	case strings.Contains(alert, "certificate"):
		return "it refuses the client certificate of etcd.cert"
	}
	return "it refuses the TLS connection"
}

// isWindowsRefused knows WSAECONNREFUSED, which is not syscall.ECONNREFUSED.
func isWindowsRefused(err error) bool {
	var no syscall.Errno
	return errors.As(err, &no) && no == 10061
}
