package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

const relockWindow = time.Second

// relock measures a lock that the same process had last.
func (b *bench) relock(ctx context.Context) (err error) {
	window := b.window(relockWindow)
	js, closeAll, err := joinAll(ctx, b.servers, b.peers())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	times, trips, allocs := make([][]float64, len(js)), make([][]float64, len(js)), make([][]float64, len(js))
	for round := range b.rounds {
		b.say("relock: round %d of %d", round+1, b.rounds)
		name := uniqueName("relock")
		err := each(js, round, func(i int, j joined) error {
			again := func() error { return cycle(ctx, j.taker, name) }
			// The hold settles first: what it opens when it is kept for the
			// first time is no cost of taking it again.
			if _, err := repeat(ctx, window/5, again); err != nil {
				return fmt.Errorf("%s: %w", j.name, err)
			}
			d, err := repeat(ctx, window, again)
			if err != nil {
				return fmt.Errorf("%s: %w", j.name, err)
			}
			times[i] = append(times[i], float64(d.Nanoseconds())/1e3)

			before := sent(j.member)
			calls := 0.0
			a := testing.AllocsPerRun(b.scale(1000, 100), func() {
				calls++
				err = errors.Join(err, again())
			})
			allocs[i] = append(allocs[i], a)
			trips[i] = append(trips[i], perCall(j.member, before, calls))
			return err
		})
		if err != nil {
			return err
		}
	}
	g := goal{what: "taking a lock again while it lingers, and giving it back", against: redislock + " on loopback", least: 20, unit: "x"}
	if len(js) > 3 {
		g.got = ratios(times[len(js)-1], times[0])
	} else {
		g.why = "REDIS_ADDR was not set"
	}
	b.goal(g)
	b.goal(goal{what: theSame, against: "round trips", most: 0, unit: "", got: trips[0]})
	b.goal(goal{what: theSame, against: "allocations", most: 8, unit: "", got: allocs[0]})
	t := table{title: "Taking a lock again", how: fmt.Sprintf(
		"One goroutine takes one name and gives it back, again and again, for %v; nobody else wants it. Allocations are those of the whole "+
			"process, by `testing.AllocsPerRun`; etcd runs in another. Round trips are counted by an interceptor in the client. Median of %s.",
		window, plural(b.rounds, "round"))}
	t.head = []string{"", "lock and unlock, µs", "against etcdlock", "round trips", "allocations"}
	for i, j := range js {
		t.rows = append(t.rows, []string{
			j.name, spread(times[i]), against(ratios(times[i], times[0])), number(median(trips[i])), number(median(allocs[i])),
		})
	}
	b.table(t)
	return nil
}

// sent is what a member has sent to etcd; nothing for Redis.
func sent(m member) tally {
	if t := m.traffic(); t != nil {
		return t.now()
	}
	return tally{}
}
