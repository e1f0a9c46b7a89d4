package memetcd

import (
	"context"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	clusterID = 0x686f6c64
	memberID  = 0x66617374
	raftTerm  = 2

	defaultMinTTL  = 2
	defaultHistory = 10_000
)

// Options adjusts a [Server]. Nil, and zero fields, mean the defaults.
type Options struct {
	// MinTTL is the shortest lease in seconds; shorter ones are lengthened to
	// it. Default 2, as an etcd with its default election timeout has.
	MinTTL int64
	// History is how many changes can be read and watched again. Default 10 000.
	History int
}

// Server is one etcd in memory. All methods may be used from several goroutines.
type Server struct {
	minTTL  int64
	history int

	mu       sync.Mutex // guards everything below, and every watcher
	closed   bool
	cut      bool // no client reaches the server
	store    store
	leases   map[int64]*lease
	lastID   int64
	watchers []*watcher
	streams  map[breaker]struct{}
}

// New starts an empty server at revision 1.
func New(opts *Options) *Server {
	s := &Server{
		minTTL:  defaultMinTTL,
		history: defaultHistory,
		store:   newStore(),
		leases:  make(map[int64]*lease),
		streams: make(map[breaker]struct{}),
		lastID:  0x1000,
	}
	if opts != nil && opts.MinTTL > 0 {
		s.minTTL = opts.MinTTL
	}
	if opts != nil && opts.History > 0 {
		s.history = opts.History
	}
	return s
}

// Close stops the timers of all leases and ends all streams. Calls made later
// fail as those to a stopped etcd do. Clients are closed by who made them.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for _, l := range s.leases {
		l.timer.Stop()
	}
	s.mu.Unlock()
	s.BreakStreams(errStopped)
}

// ClientOptions adjusts one client. Nil means the defaults.
type ClientOptions struct {
	// Intercept, when set, is called around every call of this client.
	Intercept Interceptor
}

// Interceptor stands between a client and the server. The request is one of the
// etcdserverpb request types; next hands it to the server. Returning an error
// without calling next is a lost request; calling next and then returning an
// error is a lost answer; blocking until ctx ends is a partition. For a message
// on a stream (keepalive, watch) next's answer goes onto the stream, and an
// error ends the stream.
type Interceptor func(ctx context.Context, req any, next func() error) error

// NewClient makes a client of this server. Its context ends with ctx or with the
// client's Close, which ends its goroutines. Close returns context.Canceled, as
// it does for every client made without a connection.
func (s *Server) NewClient(ctx context.Context, opts *ClientOptions) *clientv3.Client {
	cli := clientv3.NewCtxClient(ctx)
	c := &conn{srv: s, ctx: cli.Ctx()}
	if opts != nil {
		c.intercept = opts.Intercept
	}
	cli.KV = clientv3.NewKVFromKVClient((*kvClient)(c), cli)
	cli.Lease = clientv3.NewLeaseFromLeaseClient((*leaseClient)(c), cli, firstKeepAlive)
	cli.Watcher = clientv3.NewWatchFromWatchClient((*watchClient)(c), cli)
	return cli
}

// Revision is the revision of the last change; 1 when there was none.
func (s *Server) Revision() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.rev
}

// Keys lists all keys in byte order.
func (s *Server) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.store.order...)
}

// LeaseCount is the number of leases that are neither expired nor revoked.
func (s *Server) LeaseCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.leases)
}

// BreakStreams ends every open watch and keepalive stream with err, as a lost
// connection or a lost leader does; clients open new ones when err is a status
// with the code Unavailable.
func (s *Server) BreakStreams(err error) {
	s.mu.Lock()
	open := make([]breaker, 0, len(s.streams))
	for b := range s.streams {
		open = append(open, b)
	}
	s.mu.Unlock()
	for _, b := range open {
		b.end(err)
	}
}

// Cut makes the server unreachable for all clients, until Reconnect: calls fail with
// the code Unavailable and streams break. Leases go on running out.
func (s *Server) Cut() {
	s.setCut(true)
	s.BreakStreams(errUnreachable)
}

// Reconnect ends what Cut began.
func (s *Server) Reconnect() { s.setCut(false) }

func (s *Server) setCut(cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = cut
}

// refuse says why a client gets no answer at all.
func (s *Server) refuse() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errStopped
	case s.cut:
		return errUnreachable
	}
	return nil
}

func (s *Server) header(rev int64) *pb.ResponseHeader {
	return &pb.ResponseHeader{ClusterId: clusterID, MemberId: memberID, RaftTerm: raftTerm, Revision: rev}
}
