package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// trylock measures tries for a name that another process holds.
func (b *bench) trylock(ctx context.Context) (err error) {
	var ps []peer
	for _, p := range b.peers() {
		if p.name != v3lock { // it has no such call
			ps = append(ps, p)
		}
	}
	holders, closeHolders, err := joinAll(ctx, b.servers, ps)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeHolders()) }()
	js, closeAll, err := joinAll(ctx, b.servers, ps)
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

	// A release in the background would be taken for a write of the one who is
	// counted just then: the one before is waited for, here and below.
	for _, j := range js {
		if err := given(ctx, cli, j, warmUp); err != nil {
			return err
		}
	}
	n := b.scale(500, 50)
	times, writes, revisions := make([][]float64, len(js)), make([][]float64, len(js)), make([][]float64, len(js))
	for round := range b.rounds {
		b.say("trylock: round %d of %d", round+1, b.rounds)
		err := each(js, round, func(i int, j joined) error {
			name := uniqueName("busy")
			if err := holders[i].lock(ctx, name); err != nil {
				return err
			}
			tr, err := tries(ctx, cli, j, name, n)
			if err != nil {
				return fmt.Errorf("%s: %w", j.name, err)
			}
			times[i] = append(times[i], tr.micros)
			writes[i] = append(writes[i], tr.writes)
			revisions[i] = append(revisions[i], tr.revisions)
			if err := holders[i].unlock(ctx); err != nil {
				return err
			}
			return given(ctx, cli, j, name)
		})
		if err != nil {
			return err
		}
	}
	both := make([]float64, b.rounds)
	for k := range both {
		both[k] = math.Max(writes[0][k], revisions[0][k])
	}
	// The first try of a hold asks, which is two writes of its own and one of the holder.
	b.goal(goal{what: "`TryLock` on a busy name, one of many", against: "raft writes", most: 0.01, unit: "", got: both})
	t := table{title: "Trying a busy name", how: fmt.Sprintf(
		"One goroutine tries %d times for a name that another client holds. Raft writes are counted by an interceptor in the client, "+
			"and the revisions by the server. Median of %s.", n, plural(b.rounds, "round"))}
	t.head = []string{"", "one try, µs", "against etcdlock", "raft writes", "revisions"}
	for i, j := range js {
		t.rows = append(t.rows, []string{
			j.name, spread(times[i]), against(ratios(times[i], times[0])), number(median(writes[i])), number(median(revisions[i])),
		})
	}
	b.table(t)
	return nil
}

// given waits until the peer's locks of the name are given back in etcd.
func given(ctx context.Context, cli *clientv3.Client, j joined, name string) error {
	if j.prefix == "" {
		return nil
	}
	return awaitGone(ctx, cli, j.prefix+name)
}

// tried is what one try costs.
type tried struct{ micros, writes, revisions float64 }

func tries(ctx context.Context, cli *clientv3.Client, j joined, name string, n int) (tried, error) {
	all := make([]float64, 0, n)
	before := sent(j.member)
	rev, err := revision(ctx, cli)
	if err != nil {
		return tried{}, err
	}
	for range n {
		d, err := repeat(ctx, 0, func() error {
			got, err := j.try(ctx, name)
			if got {
				return errors.New("it got a lock that another holds")
			}
			return err
		})
		if err != nil {
			return tried{}, err
		}
		all = append(all, micros(d))
	}
	now, err := revision(ctx, cli)
	if err != nil {
		return tried{}, err
	}
	if j.prefix == "" {
		return tried{median(all), math.NaN(), math.NaN()}, nil
	}
	return tried{median(all), float64(sent(j.member).since(before).writes) / float64(n), float64(now-rev) / float64(n)}, nil
}
