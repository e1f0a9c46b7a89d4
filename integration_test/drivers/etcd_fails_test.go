package drivers_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/internal/devserver"
)

func TestDriversOpenEtcd_Fails(t *testing.T) {
	t.Parallel()
	etcd := startTLSEtcd(t, goodLeaf, 1)
	strangers := newAuthority(t, t.TempDir(), "strangers")

	t.Run("NothingListens", func(t *testing.T) {
		t.Parallel()
		c := etcd.config
		c.Endpoints = []string{"https://" + deadAddr(t), "https://" + deadAddr(t)}
		err := openEtcdError(t, c, drivers.ErrUnavailable, nil, "nothing listens there")
		if !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), c.Endpoints[1]) {
			t.Error(err)
		}
	})
	t.Run("NoAnswer", func(t *testing.T) {
		t.Parallel()
		c := etcd.config
		c.Endpoints = []string{"https://" + silentAddr(t)}
		err := openEtcdError(t, c, drivers.ErrUnavailable, nil, "it does not answer")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	t.Run("UnknownAuthority", func(t *testing.T) {
		t.Parallel()
		c := etcd.config
		c.CA = strangers.ca
		wantOpenEtcdError(t, c, drivers.ErrAuthentication, &x509.UnknownAuthorityError{}, "authority that is not in etcd.ca")
		c.CA = ""
		wantOpenEtcdError(t, c, drivers.ErrAuthentication, &x509.UnknownAuthorityError{}, "authority that the system does not trust")
	})
	t.Run("ClientCertificateMissing", func(t *testing.T) {
		t.Parallel()
		c := etcd.config
		c.Cert, c.Key = "", ""
		wantOpenEtcdError(t, c, drivers.ErrAuthentication, nil, "demands a client certificate")
	})
	t.Run("ClientCertificateOfAnotherAuthority", func(t *testing.T) {
		t.Parallel()
		c := etcd.config
		c.Cert, c.Key = strangers.issue(t, leaf{name: "client"})
		wantOpenEtcdError(t, c, drivers.ErrAuthentication, nil, "refuses the client certificate")
	})
	t.Run("HTTPToATLSServer", func(t *testing.T) {
		t.Parallel()
		c := drivers.EtcdConfig{Endpoints: []string{strings.Replace(etcd.config.Endpoints[0], "https", "http", 1)}}
		wantOpenEtcdError(t, c, drivers.ErrUnavailable, nil, "is it an https endpoint?")
	})
	t.Run("HTTPSToAPlainServer", func(t *testing.T) {
		t.Parallel()
		plain, err := devserver.StartEtcd(check.Bounded(t, time.Minute), t.TempDir(), &devserver.EtcdOptions{UnsafeNoFsync: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { plain.Close() })
		c := etcd.config
		c.Endpoints = []string{strings.Replace(plain.Endpoints()[0], "http", "https", 1)}
		wantOpenEtcdError(t, c, drivers.ErrUnavailable, nil, "is it an http endpoint?")
	})
	t.Run("Cancelled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := drivers.OpenEtcd(ctx, etcd.config); !errors.Is(err, context.Canceled) || !errors.Is(err, drivers.ErrUnavailable) {
			t.Error(err)
		}
	})
	t.Run("ServerCertificateExpired", func(t *testing.T) {
		t.Parallel()
		old := startTLSServer(t, etcd.ca, leaf{name: "old", hosts: []string{"127.0.0.1"}, expired: true})
		c := etcd.config
		c.Endpoints = []string{"https://" + old}
		wantOpenEtcdError(t, c, drivers.ErrAuthentication, &x509.CertificateInvalidError{}, "has expired")
	})
	t.Run("ServerCertificateForAnotherHost", func(t *testing.T) {
		t.Parallel()
		other := startTLSServer(t, etcd.ca, leaf{name: "other", hosts: []string{"127.0.0.2"}})
		c := etcd.config
		c.Endpoints = []string{"https://" + other}
		wantOpenEtcdError(t, c, drivers.ErrAuthentication, &x509.HostnameError{}, "for other names than 127.0.0.1")
	})
}

func wantOpenEtcdError(t *testing.T, c drivers.EtcdConfig, kind error, cause any, words string) {
	t.Helper()
	_ = openEtcdError(t, c, kind, cause, words)
}

// openEtcdError opens with a limit of two seconds and checks what every
// failure must do: end in time, match either ErrUnavailable or ErrAuthentication,
// name the endpoint, hold a typed cause and say why in words.
func openEtcdError(t *testing.T, c drivers.EtcdConfig, kind error, cause any, words string) error {
	t.Helper()
	c.DialTimeout = 2 * time.Second
	cli, err := drivers.OpenEtcd(check.Bounded(t, 30*time.Second), c)
	if err == nil {
		cli.Close()
		t.Fatal("no error")
	}
	if t.Context().Err() != nil {
		t.Errorf("not within the limit: %v", err)
	}
	for _, sentinel := range []error{drivers.ErrUnavailable, drivers.ErrAuthentication} {
		if errors.Is(err, sentinel) != (sentinel == kind) { //nolint:errorlint // which of the two
			t.Errorf("%v: wanted to match only %q", err, kind)
		}
	}
	var ep *drivers.EndpointError
	if !errors.As(err, &ep) || ep.Endpoint != c.Endpoints[0] {
		t.Errorf("%v does not name the endpoint %s", err, c.Endpoints[0])
	}
	if cause != nil && !errors.As(err, cause) {
		t.Errorf("%v is not caused by a %T", err, cause)
	}
	if !strings.Contains(err.Error(), words) {
		t.Errorf("%v does not say %q", err, words)
	}
	t.Log(err)
	return err
}

func TestDriversOpenEtcd_Files(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, t.TempDir(), "ca")
	cert, key := ca.issue(t, leaf{name: "client"})
	_, otherKey := ca.issue(t, leaf{name: "other"})
	empty := filepath.Join(t.TempDir(), "empty.crt")
	if err := os.WriteFile(empty, []byte("no certificate\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(t.TempDir(), "damaged.crt")
	writePEM(t, damaged, "CERTIFICATE", []byte("no certificate"))
	for name, test := range map[string]struct {
		ca, cert, key string
		is            error
		words         []string
	}{
		"CAWithoutACertificate": {empty, cert, key, nil, []string{"etcd.ca", empty, "holds no certificate"}},
		"CAIsAKey":              {key, cert, key, nil, []string{"etcd.ca", "is it a key?"}},
		"CADamaged":             {damaged, cert, key, nil, []string{"etcd.ca", "certificate 1", "damaged"}},
		"CAAbsent":              {"/nowhere/ca.crt", cert, key, fs.ErrNotExist, []string{"etcd.ca", "/nowhere/ca.crt"}},
		"KeyAbsent":             {ca.ca, cert, "/nowhere/client.key", fs.ErrNotExist, []string{"etcd.key"}},
		"KeyOfAnother":          {ca.ca, cert, otherKey, nil, []string{"etcd.cert", "no pair"}},
		"CertAndKeySwapped":     {ca.ca, key, cert, nil, []string{"etcd.cert", "no pair"}},
		"AllAtOnce":             {empty, "/nowhere/c", key, fs.ErrNotExist, []string{"2 mistakes", "etcd.ca", "etcd.cert"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := drivers.OpenEtcd(t.Context(), drivers.EtcdConfig{
				Endpoints: []string{"https://127.0.0.1:1"}, CA: test.ca, Cert: test.cert, Key: test.key,
			})
			if !errors.Is(err, drivers.ErrInvalid) || (test.is != nil && !errors.Is(err, test.is)) {
				t.Fatalf("got %v", err)
			}
			for _, w := range test.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v does not say %q", err, w)
				}
			}
			for _, file := range []string{key, otherKey} {
				secret, readErr := os.ReadFile(file)
				if readErr != nil {
					t.Fatal(readErr)
				}
				if body := strings.Split(string(secret), "\n")[1]; strings.Contains(err.Error(), body) {
					t.Errorf("the key shows: %v", err)
				}
			}
		})
	}
}

// deadAddr is an address at which nothing listens.
func deadAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// silentAddr accepts connections and never says a word.
func silentAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// startTLSServer shakes hands with a certificate that etcd itself would refuse
// to start with.
func startTLSServer(t *testing.T, ca *authority, l leaf) string {
	t.Helper()
	certFile, keyFile := ca.issue(t, l)
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	serveAll(t, listener, func(conn net.Conn) {
		defer conn.Close()
		_ = conn.(*tls.Conn).HandshakeContext(t.Context())
	})
	return listener.Addr().String()
}
