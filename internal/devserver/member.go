package devserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
)

// member is one etcd server. srv is nil while it is stopped.
type member struct {
	name, dir, cluster string
	client, peer       url.URL
	peerListen         url.URL // where srv itself listens for peers
	log                *zap.Logger
	noFsync            bool
	compaction         string
	quota              int64
	tls                *EtcdTLS
	// heartbeat and election are etcd's own while they are 0.
	heartbeat, election time.Duration

	srv *embed.Etcd
	// front stands at the peer URL while srv runs. A stopped etcd keeps some
	// peer connections open for up to 5 s; the front cuts them at once.
	front *front

	// grpcs holds the gRPC servers that srv created. It has a lock of its own
	// because srv fills it from a goroutine.
	mu    sync.Mutex
	grpcs []*grpc.Server
}

func loopbackURL(port int) url.URL {
	return url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
}

// startMembers launches all members, then waits until each of them serves: the
// first of several cannot get ready before the others are up.
func startMembers(ctx context.Context, ms []*member) error {
	for _, m := range ms {
		if err := m.launch(); err != nil {
			return err
		}
	}
	for _, m := range ms {
		if err := m.awaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (m *member) launch() error {
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return fmt.Errorf("member %s: %w", m.name, err)
	}
	f, err := openFront(m.peer.Host, m.peerListen.Host, relay)
	if err != nil {
		return fmt.Errorf("member %s: %w", m.name, err)
	}
	srv, err := embed.StartEtcd(m.config())
	if err != nil {
		f.close()
		return fmt.Errorf("member %s: %w", m.name, err)
	}
	m.srv, m.front = srv, f
	return nil
}

func (m *member) config() *embed.Config {
	cfg := embed.NewConfig()
	cfg.Name = m.name
	cfg.Dir = m.dir
	cfg.InitialCluster = m.cluster
	cfg.ListenClientUrls = []url.URL{m.client}
	cfg.AdvertiseClientUrls = []url.URL{m.client}
	cfg.ListenPeerUrls = []url.URL{m.peerListen}
	cfg.AdvertisePeerUrls = []url.URL{m.peer}
	cfg.UnsafeNoFsync = m.noFsync
	cfg.QuotaBackendBytes = m.quota
	if m.compaction != "" {
		cfg.AutoCompactionRetention = m.compaction
	}
	if m.heartbeat > 0 {
		cfg.TickMs = uint(m.heartbeat.Milliseconds())
	}
	if m.election > 0 {
		cfg.ElectionMs = uint(m.election.Milliseconds())
	}
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(m.log)
	// Nobody here speaks HTTP/JSON to etcd, and the gateway keeps a client
	// connection of its own.
	cfg.EnableGRPCGateway = false
	cfg.ServiceRegister = func(s *grpc.Server) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.grpcs = append(m.grpcs, s)
	}
	if m.tls != nil {
		cfg.ClientTLSInfo.CertFile = m.tls.CertFile
		cfg.ClientTLSInfo.KeyFile = m.tls.KeyFile
		cfg.ClientTLSInfo.TrustedCAFile = m.tls.CAFile
		cfg.ClientTLSInfo.ClientCertAuth = true
	}
	return cfg
}

func (m *member) awaitReady(ctx context.Context) error {
	select {
	case <-m.srv.Server.ReadyNotify():
		return nil
	case err := <-m.srv.Err():
		return fmt.Errorf("member %s: %w", m.name, err)
	case <-m.srv.Server.StopNotify():
		return fmt.Errorf("member %s stopped while starting", m.name)
	case <-ctx.Done():
		return fmt.Errorf("member %s is not ready: %w", m.name, context.Cause(ctx))
	}
}

// stopMembers ends all members at the same time: one after another, each would
// wait for peers that are already gone.
func stopMembers(ms []*member) {
	var g errgroup.Group
	for _, m := range ms {
		g.Go(func() error {
			m.stop()
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
}

func (m *member) stop() {
	if m.srv == nil {
		return
	}
	m.mu.Lock()
	grpcs := m.grpcs
	m.grpcs = nil
	m.mu.Unlock()
	// 1. Break the clients' streams. Close alone would wait seconds for open
	//    watches to end by themselves.
	for _, s := range grpcs {
		s.Stop()
	}
	// 2. Stop the server without handing over leadership. This must come before
	//    Close, which blocks without end on a member that never got ready.
	m.srv.Server.HardStop()
	// 3. Cut the peers off, then free the rest.
	m.front.close()
	m.srv.Close()
	m.srv, m.front = nil, nil
}

func addressInUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || strings.Contains(err.Error(), "address already in use")
}
