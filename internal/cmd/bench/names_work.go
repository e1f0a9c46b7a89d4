package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/etcdlock"
)

const (
	// namesTTL is short, so that a window sees many keepalives.
	namesTTL    = 3
	namesWindow = 12 * time.Second
	namesRounds = 3 // more would add minutes and no knowledge
)

// names measures a process that holds very many names.
func (b *bench) names(ctx context.Context) error {
	n := b.scale(10_000, 1000)
	window := max(b.window(namesWindow), namesTTL*time.Second)
	kinds := []struct {
		name string
		open func(ctx context.Context, cli *clientv3.Client) (keeper, error)
	}{
		{ours, keepOurs},
		{mutex + ", all in one session", keepMutexes},
	}
	heap, leases, before, after, watches := make([][]float64, len(kinds)), make([][]float64, len(kinds)), make([][]float64, len(kinds)), make([][]float64, len(kinds)), make([][]float64, len(kinds))
	rounds := min(b.rounds, namesRounds)
	for round := range rounds {
		for i, k := range kinds {
			b.say("names: round %d of %d, %s", round+1, rounds, k.name)
			h, err := b.hoard(ctx, n, window, k.open)
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			heap[i] = append(heap[i], h.heap/1024)
			leases[i] = append(leases[i], h.leases)
			before[i] = append(before[i], h.before)
			after[i] = append(after[i], h.after)
			watches[i] = append(watches[i], h.watches)
		}
	}
	what := fmt.Sprintf("%d names held by one process", n)
	b.goal(goal{what: what, against: "KiB for each, with its watch", most: 12, unit: "", got: heap[0]})
	b.goal(goal{what: what, against: "leases", most: 1, unit: "", got: leases[0]})
	// One keepalive more or less falls into the window by chance.
	slack := 1 + 2/median(before[0])
	b.goal(goal{what: what, against: "keepalives while it held one", most: slack, unit: "x", got: ratios(after[0], before[0])})
	t := table{title: "Very many names", how: fmt.Sprintf(
		"One process takes %d names and keeps them. Memory is the growth of heap and stacks after a garbage collection, divided by the names; "+
			"etcd runs in another process. Leases are counted by the server, watches and keepalive requests by an interceptor in the client: "+
			"requests in %v with one name held, then with all. The lease is %d s here. Median of %s.", n, window, namesTTL, plural(rounds, "round"))}
	t.head = []string{"", "KiB for each name", "leases", "watches opened for each", "keepalives, one name", "keepalives, all names"}
	for i, k := range kinds {
		t.rows = append(t.rows, []string{
			k.name, spread(heap[i]), number(median(leases[i])), number(median(watches[i])), number(median(before[i])), number(median(after[i])),
		})
	}
	b.table(t)
	return nil
}

// hoarded is what many names cost.
type hoarded struct{ heap, leases, before, after, watches float64 }

func (b *bench) hoard(ctx context.Context, n int, window time.Duration, open func(context.Context, *clientv3.Client) (keeper, error)) (h hoarded, err error) {
	var counted, apart traffic
	cli, err := etcdClient(b.servers, &counted)
	if err != nil {
		return h, err
	}
	defer cli.Close()
	other, err := etcdClient(b.servers, &apart)
	if err != nil {
		return h, err
	}
	defer other.Close()
	leases, err := countLeases(ctx, other)
	if err != nil {
		return h, err
	}

	k, err := open(ctx, cli)
	if err != nil {
		return h, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, k.close(ctx))
	}()
	if err := k.take(ctx, uniqueName("one")); err != nil {
		return h, err
	}
	if err := settle(ctx, &counted); err != nil {
		return h, err
	}
	if h.before, err = keepalives(ctx, &counted, window); err != nil {
		return h, err
	}
	opened := counted.watches.Load()
	memory := inUse()
	base := uniqueName("held")
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(64)
	for i := range n {
		g.Go(func() error { return k.take(gctx, base+strconv.Itoa(i)) })
	}
	if err := g.Wait(); err != nil {
		return h, err
	}
	if err := settle(ctx, &counted); err != nil {
		return h, err
	}
	h.heap = (inUse() - memory) / float64(n)
	h.watches = float64(counted.watches.Load()-opened) / float64(n)
	if h.after, err = keepalives(ctx, &counted, window); err != nil {
		return h, err
	}
	now, err := countLeases(ctx, other)
	h.leases = now - leases
	return h, err
}

// settle waits until no watch has been opened for a while: a held name opens
// its own some time after it was taken.
func settle(ctx context.Context, t *traffic) error {
	const quiet = 500 * time.Millisecond
	last, since := t.watches.Load(), time.Now()
	return poll(ctx, func() (bool, error) {
		if now := t.watches.Load(); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > quiet, nil
	})
}

// keepalives counts the keepalive requests within a window.
func keepalives(ctx context.Context, t *traffic, window time.Duration) (float64, error) {
	before := t.keepalives.Load()
	timer := time.NewTimer(window)
	defer timer.Stop()
	select {
	case <-timer.C:
		return float64(t.keepalives.Load() - before), nil
	case <-ctx.Done():
		return math.NaN(), ctx.Err()
	}
}

func countLeases(ctx context.Context, cli *clientv3.Client) (float64, error) {
	resp, err := cli.Leases(ctx)
	if err != nil {
		return math.NaN(), err
	}
	return float64(len(resp.Leases)), nil
}

// inUse returns the bytes in the heap and in stacks that are really used.
func inUse() float64 {
	runtime.GC()
	runtime.GC() // what finalizers have let go of
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

// keeper takes names and keeps them until it is closed.
type keeper struct {
	take  func(ctx context.Context, name string) error
	close func(ctx context.Context) error
}

func keepOurs(_ context.Context, cli *clientv3.Client) (keeper, error) {
	l, err := etcdlock.New(cli, &etcdlock.Options{TTL: namesTTL * time.Second})
	if err != nil {
		return keeper{}, err
	}
	held := make(chan *etcdlock.Lock, 20_000)
	return keeper{
		take: func(ctx context.Context, name string) error {
			k, err := l.Lock(ctx, name)
			if err == nil {
				held <- k
			}
			return err
		},
		close: func(ctx context.Context) error {
			close(held)
			return errors.Join(release(ctx, held, (*etcdlock.Lock).Unlock), l.Close(ctx))
		},
	}, nil
}

func keepMutexes(_ context.Context, cli *clientv3.Client) (keeper, error) {
	session, err := concurrency.NewSession(cli, concurrency.WithTTL(namesTTL))
	if err != nil {
		return keeper{}, err
	}
	held := make(chan *concurrency.Mutex, 20_000)
	return keeper{
		take: func(ctx context.Context, name string) error {
			m := concurrency.NewMutex(session, mutexPrefix+name)
			err := m.Lock(ctx)
			if err == nil {
				held <- m
			}
			return err
		},
		close: func(ctx context.Context) error {
			close(held)
			return errors.Join(release(ctx, held, (*concurrency.Mutex).Unlock), session.Close())
		},
	}, nil
}

// release gives everything back, many at a time.
func release[L any](ctx context.Context, held <-chan L, unlock func(L, context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(64)
	for k := range held {
		g.Go(func() error { return unlock(k, ctx) })
	}
	return g.Wait()
}
