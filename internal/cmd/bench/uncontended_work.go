package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// uncontended measures locks of names that nobody has used before, next to one
// plain write.
func (b *bench) uncontended(ctx context.Context) (err error) {
	js, closeAll, err := joinAll(ctx, b.servers, b.peers())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	var noise traffic
	cli, err := etcdClient(b.servers, &noise)
	if err != nil {
		return err
	}
	defer cli.Close()

	n := b.scale(300, 30)
	var puts []float64
	locks, cycles, writes := make([][]float64, len(js)), make([][]float64, len(js)), make([][]float64, len(js))
	costs := make([]cost, len(js))
	for round := range b.rounds {
		b.say("uncontended: round %d of %d", round+1, b.rounds)
		var put []float64
		lock, both := make([][]float64, len(js)), make([][]float64, len(js))
		for k := range n {
			name := uniqueName("first")
			began := time.Now()
			if _, err := cli.Put(ctx, "put/"+name, ""); err != nil {
				return err
			}
			put = append(put, micros(time.Since(began)))
			err := each(js, k, func(i int, j joined) error {
				began := time.Now()
				if err := j.lock(ctx, name); err != nil {
					return fmt.Errorf("%s: %w", j.name, err)
				}
				lock[i] = append(lock[i], micros(time.Since(began)))
				err := j.unlock(ctx)
				both[i] = append(both[i], micros(time.Since(began)))
				return err
			})
			if err != nil {
				return err
			}
		}
		puts = append(puts, median(put))
		for i, j := range js {
			locks[i], cycles[i] = append(locks[i], median(lock[i])), append(cycles[i], median(both[i]))
			if j.prefix == "" {
				continue
			}
			if costs[i], err = count(ctx, cli, j); err != nil {
				return fmt.Errorf("counting the writes of %s: %w", j.name, err)
			}
			writes[i] = append(writes[i], math.Max(costs[i].writes, costs[i].revisions))
		}
	}
	b.goal(goal{what: "first `Lock` of a name, session up, uncontended", against: "one raft `Put`", most: 1.3, unit: "x", got: ratios(locks[0], puts)})
	b.goal(goal{what: "lock and unlock together", against: "raft writes", most: 2, unit: "", got: writes[0]})
	t := table{title: "Uncontended", how: fmt.Sprintf(
		"One goroutine takes %d names that nobody has used before, each peer in turn after one plain `Put` of etcd's client; the sessions are up. "+
			"Median of each round, then of %s. Round trips and raft writes of a lock and its release are counted by an interceptor in the client, "+
			"until the key is gone, and the revisions by the server; a release in the background is in the counts and not in the time.", n, plural(b.rounds, "round"))}
	t.head = []string{"", "lock, µs", "against one `Put`", "lock and unlock, µs", "round trips", "raft writes", "revisions"}
	t.rows = append(t.rows, []string{"one `Put`", spread(puts), "1", unknown, "1", "1", "1"})
	for i, j := range js {
		row := []string{j.name, spread(locks[i]), spread(ratios(locks[i], puts)), spread(cycles[i]), unknown, unknown, unknown}
		if j.prefix != "" {
			row = append(row[:4], number(costs[i].trips), number(costs[i].writes), number(costs[i].revisions))
		}
		t.rows = append(t.rows, row)
	}
	b.table(t)
	return nil
}

// cost is what a lock and its release cost in etcd.
type cost struct{ trips, writes, revisions float64 }

// count takes names alone, so that all that etcd writes is this peer's.
func count(ctx context.Context, cli *clientv3.Client, j joined) (cost, error) {
	const n = 20
	base := uniqueName("count")
	// What earlier releases still do in the background is over when the last
	// of them is, for they are made in order.
	if err := cycle(ctx, j.taker, base); err != nil {
		return cost{}, err
	}
	if err := awaitGone(ctx, cli, j.prefix+base); err != nil {
		return cost{}, err
	}
	before := sent(j.member)
	rev, err := revision(ctx, cli)
	if err != nil {
		return cost{}, err
	}
	for k := range n {
		if err := cycle(ctx, j.taker, base+strconv.Itoa(k)); err != nil {
			return cost{}, err
		}
	}
	if err := awaitGone(ctx, cli, j.prefix+base); err != nil {
		return cost{}, err
	}
	now, err := revision(ctx, cli)
	if err != nil {
		return cost{}, err
	}
	d := sent(j.member).since(before)
	return cost{float64(d.roundTrips()) / n, float64(d.writes) / n, float64(now-rev) / n}, nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// perCall returns the round trips of m for each of n calls; NaN where they are
// not counted.
func perCall(m member, before tally, n float64) float64 {
	if m.traffic() == nil {
		return math.NaN()
	}
	return float64(sent(m).since(before).roundTrips()) / n
}
