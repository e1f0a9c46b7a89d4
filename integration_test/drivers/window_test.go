package drivers_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/internal/devserver"
)

// gRPC pings the server to find out how large its windows should be, at any
// message that arrives. The client of OpenEtcd does not; one with etcd's
// defaults does.
func TestDriversEtcd_SendsNoPings(t *testing.T) {
	t.Parallel()
	server, err := devserver.StartEtcd(check.Bounded(t, time.Minute), t.TempDir(), &devserver.EtcdOptions{UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	for name, c := range map[string]struct {
		open  func(t *testing.T, endpoint string) *clientv3.Client
		pings bool
	}{
		"OpenEtcd": {open: func(t *testing.T, endpoint string) *clientv3.Client {
			return openEtcd(t, drivers.EtcdConfig{Endpoints: []string{endpoint}})
		}},
		"Defaults": {pings: true, open: func(t *testing.T, endpoint string) *clientv3.Client {
			cli, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cli.Close() })
			return cli
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPingCounter(t, server.Endpoints()[0][len("http://"):])
			cli := c.open(t, "http://"+p.addr)
			for range 20 {
				if _, err := cli.Get(check.Bounded(t, time.Minute), "k"); err != nil {
					t.Fatal(err)
				}
			}
			if got := p.pings.Load(); got > 0 != c.pings {
				t.Errorf("it sent %d pings", got)
			}
		})
	}
}

// pingCounter passes connections on to a server and counts the HTTP/2 pings that
// clients send, without the answers to those of the server.
type pingCounter struct {
	addr  string
	pings atomic.Int64
}

func startPingCounter(t *testing.T, to string) *pingCounter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &pingCounter{addr: l.Addr().String()}
	serveAll(t, l, func(in net.Conn) {
		defer in.Close()
		out, err := net.Dial("tcp", to)
		if err != nil {
			t.Error(err)
			return
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			p.count(out, in)
			out.Close()
		})
		_, _ = io.Copy(in, out)
		in.Close()
		wg.Wait()
	})
	return p
}

// count copies what a client sends, frame by frame.
func (p *pingCounter) count(to io.Writer, from io.Reader) {
	const preface, header, ping, ack = 24, 9, 6, 1
	if _, err := io.CopyN(to, from, preface); err != nil {
		return
	}
	var h [header]byte // three bytes of length, the type, the flags
	for {
		if _, err := io.ReadFull(from, h[:]); err != nil {
			return
		}
		if h[3] == ping && h[4]&ack == 0 {
			p.pings.Add(1)
		}
		if _, err := to.Write(h[:]); err != nil {
			return
		}
		length := int64(binary.BigEndian.Uint32(h[:4]) >> 8)
		if _, err := io.CopyN(to, from, length); err != nil {
			return
		}
	}
}
