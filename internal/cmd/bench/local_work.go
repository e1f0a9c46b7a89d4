package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	localGoroutines = 64
	localWindow     = 2 * time.Second
)

// local measures many goroutines of one process on one name.
func (b *bench) local(ctx context.Context) error {
	window := b.window(localWindow)
	ps := b.peers()
	rates, longest, trips := make([][]float64, len(ps)), make([][]float64, len(ps)), make([][]float64, len(ps))
	for round := range b.rounds {
		b.say("local: round %d of %d", round+1, b.rounds)
		err := each(ps, round, func(i int, p peer) error {
			c, err := crowded(ctx, b.servers, p, window)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			rates[i] = append(rates[i], c.rate)
			longest[i] = append(longest[i], c.longest)
			trips[i] = append(trips[i], c.trips)
			return nil
		})
		if err != nil {
			return err
		}
	}
	b.goal(goal{what: "lock and unlock, 64 goroutines of one process, one name", against: mutex, least: 100, unit: "x", got: ratios(rates[0], rates[1])})
	t := table{title: "Many goroutines of one process", how: fmt.Sprintf(
		"%d goroutines of one process, on one client, take one name and give it back at once, for %v. Round trips are counted by an "+
			"interceptor in the client, those in the background included. Median of %s.", localGoroutines, window, plural(b.rounds, "round"))}
	t.head = []string{"", "lock and unlock, a second", "against etcdlock", "longest wait, ms", "round trips for each"}
	for i, p := range ps {
		t.rows = append(t.rows, []string{
			p.name, spread(rates[i]), against(ratios(rates[i], rates[0])), number(median(longest[i])), number(median(trips[i])),
		})
	}
	b.table(t)
	return nil
}

// crowd is what many goroutines got done.
type crowd struct {
	rate    float64 // locks a second
	longest float64 // wait, ms
	trips   float64 // round trips for each lock; NaN where they are not counted
}

func crowded(ctx context.Context, s servers, p peer, window time.Duration) (c crowd, err error) {
	m, err := p.join(ctx, s)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, closeMember(ctx, m)) }()
	takers := make([]taker, localGoroutines)
	for i := range takers {
		if takers[i], err = m.taker(ctx); err != nil {
			return c, err
		}
	}
	if err := cycle(ctx, takers[0], uniqueName(warmUp)); err != nil {
		return c, err
	}
	name := uniqueName("local")
	before := sent(m)
	var locks, inTime, longest atomic.Int64
	ctx, cancel := context.WithTimeout(ctx, window+drain)
	defer cancel()
	g, gctx := errgroup.WithContext(ctx)
	end := time.Now().Add(window)
	for _, t := range takers {
		g.Go(func() error {
			for {
				asked := time.Now()
				if asked.After(end) {
					return nil
				}
				if err := t.lock(gctx, name); err != nil {
					return err
				}
				raise(&longest, int64(time.Since(asked)))
				locks.Add(1)
				if time.Now().Before(end) {
					inTime.Add(1)
				}
				if err := t.unlock(gctx); err != nil {
					return err
				}
			}
		})
	}
	if err := g.Wait(); err != nil {
		return c, err
	}
	return crowd{
		rate:    float64(inTime.Load()) / window.Seconds(),
		longest: float64(longest.Load()) / 1e6,
		trips:   perCall(m, before, float64(locks.Load())),
	}, nil
}

func raise(most *atomic.Int64, x int64) {
	for {
		old := most.Load()
		if x <= old || most.CompareAndSwap(old, x) {
			return
		}
	}
}
