package devserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// startTries bounds how often StartEtcd picks new ports after another process
// took one between the choice and the start.
const startTries = 5

// EtcdTLS makes the client port of the server speak TLS and demand a client
// certificate signed by CAFile. The traffic between members stays plain.
type EtcdTLS struct {
	CertFile string // the server's certificate, PEM; must name 127.0.0.1
	KeyFile  string // the key of CertFile, PEM
	CAFile   string // the authority that client certificates must come from, PEM
}

// EtcdOptions changes how [StartEtcd] runs the server. Nil means the defaults.
type EtcdOptions struct {
	// Members is 1 or 3. The default, 0, means 1.
	Members int
	// TLS, when set, makes the endpoints https with mutual authentication.
	TLS *EtcdTLS
	// UnsafeNoFsync leaves out every fsync. Faster, but the data may not
	// survive a crash of the machine (it survives Stop and Restart).
	UnsafeNoFsync bool
	// Compaction is how much history automatic compaction leaves, as a duration
	// in etcd's form such as "1h". Empty turns it off, which is etcd's default.
	Compaction string
	// Quota is the size of the database, in bytes, at which etcd stops taking
	// writes. The default, 0, means etcd's own.
	Quota int64
	// Log receives the server's log at level info. Nil discards it.
	Log io.Writer
}

// Etcd is a running etcd server or cluster. Its methods may be called from
// several goroutines; calls of Stop, Restart and Close run one after another.
type Etcd struct {
	tls *EtcdTLS

	mu      sync.Mutex
	closed  bool
	members []*member
}

// StartEtcd starts etcd with its data below dir and returns once a leader is
// elected and every member serves. ctx bounds the start only. Ports are chosen
// from the free ones and stay the same for the life of the value. On an error
// nothing keeps running; dir may hold files.
func StartEtcd(ctx context.Context, dir string, opts *EtcdOptions) (*Etcd, error) {
	var o EtcdOptions
	if opts != nil {
		o = *opts
	}
	if o.Members == 0 {
		o.Members = 1
	}
	if o.Members != 1 && o.Members != 3 {
		return nil, fmt.Errorf("devserver: starting etcd: %d members asked for, only 1 or 3 are possible", o.Members)
	}
	var err error
	for try := range startTries {
		var e *Etcd
		// A failed try may have written the old ports into its data, so the
		// next one gets a folder of its own.
		e, err = startEtcd(ctx, filepath.Join(dir, fmt.Sprintf("etcd-%d", try)), o)
		if err == nil {
			return e, nil
		}
		if !addressInUse(err) {
			break
		}
	}
	return nil, fmt.Errorf("devserver: starting etcd: %w", err)
}

func startEtcd(ctx context.Context, dir string, o EtcdOptions) (*Etcd, error) {
	ports, err := freePorts(3 * o.Members)
	if err != nil {
		return nil, err
	}
	log := newLogger(o.Log)
	e := &Etcd{tls: o.TLS}
	var cluster []string
	for i := range o.Members {
		m := &member{
			name:       fmt.Sprintf("m%d", i),
			dir:        filepath.Join(dir, fmt.Sprintf("m%d", i)),
			client:     loopbackURL(ports[3*i]),
			peer:       loopbackURL(ports[3*i+1]),
			peerListen: loopbackURL(ports[3*i+2]),
			log:        log,
			noFsync:    o.UnsafeNoFsync,
			compaction: o.Compaction,
			quota:      o.Quota,
			tls:        o.TLS,
		}
		if o.TLS != nil {
			m.client.Scheme = "https"
		}
		cluster = append(cluster, m.name+"="+m.peer.String())
		e.members = append(e.members, m)
	}
	for _, m := range e.members {
		m.cluster = strings.Join(cluster, ",")
	}
	if err := startMembers(ctx, e.members); err != nil {
		stopMembers(e.members)
		return nil, err
	}
	return e, nil
}

// Endpoints returns the client URLs, one for each member in order, whether it
// runs or not.
func (e *Etcd) Endpoints() []string {
	var eps []string
	for _, m := range e.members {
		eps = append(eps, m.client.String())
	}
	return eps
}

// Client returns a new client for all endpoints, which the caller closes. Its
// log is discarded. A server with TLS is an error: the caller has the
// certificates and builds the client itself.
func (e *Etcd) Client() (*clientv3.Client, error) {
	if e.tls != nil {
		return nil, errors.New("devserver: making an etcd client: the server wants TLS, use the certificates it was started with")
	}
	cli, err := clientv3.New(clientv3.Config{
		Endpoints:            e.Endpoints(),
		DialTimeout:          10 * time.Second,
		DialKeepAliveTime:    5 * time.Second,
		DialKeepAliveTimeout: 2 * time.Second,
		Logger:               zap.NewNop(),
	})
	if err != nil {
		return nil, fmt.Errorf("devserver: making an etcd client: %w", err)
	}
	return cli, nil
}

// Stop ends the members with the given numbers, all of them when none is
// given, the way a crash would: connections break, and a leader does not hand
// over. The data and the ports stay. Stopping a stopped member does nothing.
func (e *Etcd) Stop(members ...int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	ms, err := e.pick(members)
	if err != nil {
		return fmt.Errorf("devserver: stopping etcd: %w", err)
	}
	stopMembers(ms)
	return nil
}

// Restart brings stopped members back, all of them when no number is given, on
// their old data and ports, and returns once they serve. ctx bounds the wait;
// when it ends first, the members that were started are stopped again. A
// member of three that comes back alone never gets ready: name two.
func (e *Etcd) Restart(ctx context.Context, members ...int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	ms, err := e.pick(members)
	if err != nil {
		return fmt.Errorf("devserver: restarting etcd: %w", err)
	}
	var down []*member
	for _, m := range ms {
		if m.srv == nil {
			down = append(down, m)
		}
	}
	if err := startMembers(ctx, down); err != nil {
		stopMembers(down)
		return fmt.Errorf("devserver: restarting etcd: %w", err)
	}
	return nil
}

// Close stops every member for good. A second call does nothing.
func (e *Etcd) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	stopMembers(e.members)
	return nil
}

// pick returns the members with the given numbers, or all.
func (e *Etcd) pick(numbers []int) ([]*member, error) {
	if e.closed {
		return nil, errors.New("the server is closed")
	}
	if len(numbers) == 0 {
		return e.members, nil
	}
	var ms []*member
	for _, n := range numbers {
		if n < 0 || n >= len(e.members) {
			return nil, fmt.Errorf("no member %d, there are %d", n, len(e.members))
		}
		ms = append(ms, e.members[n])
	}
	return ms, nil
}

func newLogger(w io.Writer) *zap.Logger {
	if w == nil {
		return zap.NewNop()
	}
	enc := zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig())
	return zap.New(zapcore.NewCore(enc, zapcore.Lock(zapcore.AddSync(w)), zap.InfoLevel))
}
