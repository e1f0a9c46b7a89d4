package main

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/client/v3/concurrency"
)

// seed measures what many services do: a client and a session for every lock.
func (b *bench) seed(ctx context.Context) (err error) {
	m, t, err := joinPeer(ctx, b.servers, peers(b.servers)[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeMember(ctx, m)) }()
	shared, err := newEtcdMember(b.servers)
	if err != nil {
		return err
	}
	defer shared.cli.Close()

	ways := []struct {
		name  string
		cycle func(ctx context.Context, name string) error
	}{
		{"etcdlock", func(ctx context.Context, name string) error { return cycle(ctx, t, name) }},
		{"`concurrency.Mutex`, a session for every lock", func(ctx context.Context, name string) error {
			return inSession(ctx, shared, name)
		}},
		{"`concurrency.Mutex`, a client and a session for every lock", func(ctx context.Context, name string) error {
			own, err := newEtcdMember(b.servers)
			if err != nil {
				return err
			}
			return errors.Join(inSession(ctx, own, name), own.close(ctx))
		}},
	}
	n := b.scale(100, 10)
	times := make([][]float64, len(ways))
	for round := range b.rounds {
		b.say("seed: round %d of %d", round+1, b.rounds)
		all := make([][]float64, len(ways))
		for k := range n {
			name := uniqueName("seed")
			for i := range ways {
				w := ways[(i+k)%len(ways)]
				d, err := repeat(ctx, 0, func() error { return w.cycle(ctx, name) })
				if err != nil {
					return fmt.Errorf("%s: %w", w.name, err)
				}
				all[(i+k)%len(ways)] = append(all[(i+k)%len(ways)], micros(d))
			}
		}
		for i := range ways {
			times[i] = append(times[i], median(all[i]))
		}
	}
	b.goal(goal{what: "lock and unlock, uncontended", against: "a client and a session for every lock", least: 4, unit: "x", got: ratios(times[2], times[0])})
	tb := table{title: "A session for every lock", how: fmt.Sprintf(
		"One goroutine takes %d names that nobody has used before, in turn each way; connecting, session and closing count where every lock has its own. "+
			"Median of each round, then of %s.", n, plural(b.rounds, "round"))}
	tb.head = []string{"", "lock and unlock, µs", "against etcdlock"}
	for i, w := range ways {
		tb.rows = append(tb.rows, []string{w.name, spread(times[i]), against(ratios(times[i], times[0]))})
	}
	b.table(tb)
	return nil
}

// inSession locks and unlocks in a session that it makes and closes.
func inSession(ctx context.Context, m *etcdMember, name string) error {
	session, err := concurrency.NewSession(m.cli, concurrency.WithTTL(ttl))
	if err != nil {
		return err
	}
	return errors.Join(cycle(ctx, &mutexTaker{session: session}, name), session.Close())
}
