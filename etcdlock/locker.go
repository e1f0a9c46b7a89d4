package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/cohort"
	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// Locker takes locks for one process. Make one per process and share it: it
// is safe for concurrent use, and all its locks live on one lease. Close it
// before the client.
type Locker struct {
	settings
	session *session.Session
	queues  *queue.Space
	cohorts *cohort.Cohorts

	// closing ends, with ErrClosed, when Close begins.
	closing context.Context
	refuse  context.CancelCauseFunc

	mu      sync.Mutex
	inside  int                // calls that acquire, and handles that hold
	open    map[*Lock]struct{} // handles that hold
	drained chan struct{}      // closed when closing and nobody is inside

	closed   chan struct{} // closed when the first Close is through
	closeErr error
}

// New makes a Locker on a client that stays the caller's. It does no I/O: the
// session starts with the first lock. nil Options mean the defaults.
//
// Errors: ErrInvalid.
func New(cli *clientv3.Client, opts *Options) (*Locker, error) {
	s, err := opts.settings()
	if err != nil {
		return nil, err
	}
	if cli == nil || cli.KV == nil || cli.Lease == nil || cli.Watcher == nil {
		return nil, invalid("new locker", "nil client")
	}
	return newLocker(cli, s, session.NewClock()), nil
}

// newLocker makes the layers of a Locker, see the documentation of the package.
func newLocker(cli *clientv3.Client, s settings, clock session.Clock) *Locker {
	l := &Locker{
		settings: s,
		open:     make(map[*Lock]struct{}),
		drained:  make(chan struct{}),
		closed:   make(chan struct{}),
	}
	l.closing, l.refuse = context.WithCancelCause(context.Background())
	l.session = session.New(session.Config{
		Client:         cli,
		Clock:          clock,
		TTL:            s.ttl,
		RequestTimeout: s.requestTimeout,
		Sentinel:       func() string { return l.queues.Sentinel() },
		KeptAlive:      l.hooks.keptAlive,
		Lost:           func(*session.Lease) { l.cohorts.LeaseLost() },
	})
	l.queues = queue.NewSpace(queue.Config{
		Client:         cli,
		Session:        l.session,
		Namespace:      s.namespace,
		Self:           queue.Owner{Host: hostname(), PID: os.Getpid(), Service: s.service, Data: s.data},
		Lingers:        s.linger > 0,
		RequestTimeout: s.requestTimeout,
		Unknown:        l.hooks.unknown,
	})
	l.cohorts = cohort.New(cohort.Config{
		Queue:    func(name string, told func()) cohort.Queue { return cohort.Global(l.queues.Queue(name, told)) },
		Spawn:    l.session.Spawn,
		Closing:  l.closing,
		Linger:   s.linger,
		MaxTurns: s.maxTurns,
		MaxHold:  s.maxHold,
		Lost:     l.hooks.lost,
	})
	return l
}

// Close refuses new locks and ends those that wait, both with ErrClosed. It
// gives lingering holds back, waits until every other is given back or ctx ends,
// cancels the contexts of
// the remaining holds with ErrClosed and gives them back, and revokes the
// lease, so that nothing of this Locker stays in etcd. Further calls wait for
// the first one and return its result.
//
// Errors: the context's, if holds were cut short; ErrRefused, or ErrUnavailable if
// etcd did not confirm, in which case the lease runs out after TTL. The Locker is
// closed in any case.
func (l *Locker) Close(ctx context.Context) error {
	if ctx == nil {
		return invalid("closing", "nil context")
	}
	l.mu.Lock()
	first := l.closing.Err() == nil
	l.refuse(ErrClosed)
	if first && l.inside == 0 {
		close(l.drained)
	}
	l.mu.Unlock()
	if first {
		l.cohorts.Rush()
	}
	if !first {
		select {
		case <-l.closed:
			return l.closeErr
		case <-ctx.Done():
			return fmt.Errorf("etcdlock: closing: %w", contextError(ctx))
		}
	}

	var cut error
	select {
	case <-l.drained:
	case <-ctx.Done():
		if n := l.shutAll(); n > 0 {
			cut = fmt.Errorf("etcdlock: closing: %d locks were still held: %w", n, contextError(ctx))
		}
	}
	l.closeErr = cut
	if err := l.session.Stop(ErrClosed); err != nil {
		l.closeErr = errors.Join(cut, fmt.Errorf("etcdlock: closing: %w", err))
	}
	close(l.closed)
	return l.closeErr
}

// shutAll ends all holds and waits, for RequestTimeout at most, until they are given back. It
// returns how many there were.
func (l *Locker) shutAll() int {
	l.mu.Lock()
	locks := make([]*Lock, 0, len(l.open))
	for k := range l.open {
		locks = append(locks, k)
	}
	l.mu.Unlock()
	for _, k := range locks {
		k.shut()
	}
	t := time.NewTimer(l.requestTimeout)
	defer t.Stop()
	select {
	case <-l.drained:
	case <-t.C:
	}
	return len(locks)
}

// enter counts a call in, unless the Locker is closing.
func (l *Locker) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing.Err() != nil {
		return false
	}
	l.inside++
	return true
}

// entered turns the count of a call into that of the handle it has made; with
// nil it counts the call out.
func (l *Locker) entered(k *Lock) {
	if k == nil {
		l.exit(nil)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[k] = struct{}{}
}

// exit counts a call or a handle out.
func (l *Locker) exit(k *Lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k != nil {
		if _, ok := l.open[k]; !ok {
			return
		}
		delete(l.open, k)
	}
	l.inside--
	if l.inside == 0 && l.closing.Err() != nil {
		close(l.drained)
	}
}

func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return host
}
