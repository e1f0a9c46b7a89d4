package locktest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/internal/memetcd"
)

// grace is how long Close waits for locks that are still held. A goroutine of
// the code under test may just be giving its lock back.
const grace = 2 * time.Second

// TB is the part of [testing.TB] that [NewLocal] needs.
type TB interface {
	Helper()
	Cleanup(f func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// NewLocal returns a Locker for one test, on an etcd in memory that nothing else
// uses. nil Options mean the defaults; ones that etcdlock refuses fail the test.
//
// At the end of the test the Locker is closed. A lock that is still held then,
// and is not given back within 2 s, fails the test: the code under test forgot
// to unlock it. A test that wants that closes the Locker itself.
func NewLocal(t TB, opts *etcdlock.Options) *etcdlock.Locker {
	t.Helper()
	c := NewCluster()
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("%v", err)
		}
	})
	l, err := c.NewLocker(opts)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return l
}

// Cluster is an etcd in memory that several Lockers share, as the processes of
// a fleet share a real one. Its methods may be called from several goroutines.
type Cluster struct {
	srv    *memetcd.Server
	cli    *clientv3.Client // of the Cluster itself
	cancel context.CancelFunc

	mu      sync.Mutex
	lockers []*etcdlock.Locker
	clients []*clientv3.Client

	once sync.Once
	err  error
}

// NewCluster starts an empty one. The caller closes it.
func NewCluster() *Cluster {
	// A client needs a context to live on, and Close ends it.
	ctx, cancel := context.WithCancel(context.Background())
	srv := memetcd.New(nil)
	return &Cluster{srv: srv, cli: srv.NewClient(ctx, nil), cancel: cancel}
}

// NewLocker returns a Locker with a client and a lease of its own, as another
// process would have it. Close closes it, unless the caller does.
//
// Errors: etcdlock.ErrInvalid for Options that [etcdlock.New] refuses.
func (c *Cluster) NewLocker(opts *etcdlock.Options) (*etcdlock.Locker, error) {
	cli := c.srv.NewClient(c.cli.Ctx(), nil)
	l, err := etcdlock.New(cli, opts)
	if err != nil {
		_ = cli.Close()
		return nil, fmt.Errorf("locktest: making a locker: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lockers, c.clients = append(c.lockers, l), append(c.clients, cli)
	return l, nil
}

// Expire ends the lease of the process that holds name, as if its process had been away
// for longer than the TTL: the holder's context ends with etcdlock.ErrLost, and
// with it those of all other locks on that lease. l says which namespace name
// is in; it need not be the holder.
//
// Errors: those of [etcdlock.Locker.Holders], and one when nobody holds name.
func (c *Cluster) Expire(ctx context.Context, l *etcdlock.Locker, name string) error {
	holders, err := l.Holders(ctx, name)
	if err != nil {
		return fmt.Errorf("locktest: expiring the holder of %q: %w", name, err)
	}
	if len(holders) == 0 {
		return fmt.Errorf("locktest: expiring the holder of %q: nobody holds it", name)
	}
	if _, err := c.cli.Revoke(ctx, clientv3.LeaseID(holders[0].Lease)); err != nil {
		return fmt.Errorf("locktest: expiring the holder of %q: %w", name, err)
	}
	return nil
}

// Cut makes etcd unreachable for all Lockers, until Reconnect. Leases run out
// meanwhile, as they do for a process that is cut off.
func (c *Cluster) Cut() { c.srv.Cut() }

// Reconnect ends what Cut began.
func (c *Cluster) Reconnect() { c.srv.Reconnect() }

// Keys lists what is in etcd, in byte order. It is empty when every Locker is
// closed.
func (c *Cluster) Keys() []string { return c.srv.Keys() }

// Close restores the connection, closes all Lockers and ends the etcd. It waits up
// to 2 s for locks that are still held, then takes them away. Further calls
// return the first result.
//
// Errors: one that says what was still held, or left behind, by Lockers that
// the caller had not closed. Everything is closed in any case.
func (c *Cluster) Close() error {
	c.once.Do(func() {
		c.Reconnect()
		c.err = c.closeLockers()
		c.mu.Lock()
		clients := c.clients
		c.mu.Unlock()
		for _, cli := range clients {
			_ = cli.Close() // says only that its context is over
		}
		_ = c.cli.Close()
		c.cancel()
		c.srv.Close()
	})
	return c.err
}

func (c *Cluster) closeLockers() error {
	c.mu.Lock()
	lockers := c.lockers
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	errs := make([]error, len(lockers))
	var wg sync.WaitGroup
	for i, l := range lockers {
		wg.Go(func() {
			// What came of a Close by the caller is his to look at.
			_, err := l.Holders(ctx, "any")
			closedBefore := errors.Is(err, etcdlock.ErrClosed)
			if err := l.Close(ctx); err != nil && !closedBefore {
				errs[i] = fmt.Errorf("locktest: at the end of the test: %w", err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
