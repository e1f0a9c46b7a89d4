package main

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// etcdFaults happen to the lock, to etcd, or on the way there.
func etcdFaults() []*fault {
	return []*fault{
		{
			name: "lease revoked", felt: "leases revoked while their holder was between reading and writing", short: []string{onPostgres, onMongoDB},
			beats: []string{shortLease, mutex, mutexFence},
			round: func(ctx context.Context, c *cell) error {
				return c.dance(ctx, dance{end: func(ctx context.Context, _ *node, key *mvccpb.KeyValue) error { return c.revoke(ctx, key) }})
			},
		},
		{
			name: "key deleted", felt: "keys of holders deleted",
			round: func(ctx context.Context, c *cell) error {
				return c.dance(ctx, dance{end: func(ctx context.Context, _ *node, key *mvccpb.KeyValue) error {
					if key == nil {
						return nil // it is lost already
					}
					_, err := c.cluster.cli.Delete(ctx, string(key.Key))
					return err
				}})
			},
		},
		{
			name: "etcd paused", felt: "pauses longer than a lease, of an etcd whose lock was held",
			beats: []string{noLock, shortLease}, signals: true,
			round: func(ctx context.Context, c *cell) error {
				return c.dance(ctx, dance{end: func(ctx context.Context, _ *node, key *mvccpb.KeyValue) error {
					if err := c.pulse(ctx, 0, ttl+ttl/2); err != nil {
						return err
					}
					bounded, cancel := context.WithTimeout(ctx, 2*ttl)
					defer cancel()
					return c.awaitGone(bounded, key)
				}})
			},
		},
		{
			name: "etcd slow", felt: "reads of etcd that took longer than 50 ms", signals: true,
			round: func(ctx context.Context, c *cell) error {
				for range 4 {
					asked := make(chan time.Duration, 1)
					go func() {
						begun := time.Now()
						_, _ = c.cluster.cli.Get(ctx, c.namespace)
						asked <- time.Since(begun)
					}()
					if err := c.pulse(ctx, 0, time.Duration(100+c.rng.IntN(700))*time.Millisecond); err != nil {
						return err
					}
					if <-asked > 50*time.Millisecond {
						c.felt++
					}
					wait(ctx, 100*time.Millisecond)
				}
				return nil
			},
		},
		{
			name: "etcd leader killed", felt: "new leaders after the old one was killed", members: 3, signals: true,
			round: func(ctx context.Context, c *cell) error {
				leader, term, err := c.cluster.leader(ctx)
				if err != nil {
					return err
				}
				c.cluster.members[leader].kill()
				healed := c.recover(ctx)
				if _, next, err := c.cluster.leader(ctx); err == nil && next > term {
					c.felt++
				}
				if err := c.cluster.start(ctx, leader); err != nil {
					return err
				}
				return healed
			},
		},
		{
			name: "etcd leader paused", felt: "new leaders while the old one was stopped", members: 3, signals: true,
			round: func(ctx context.Context, c *cell) error {
				leader, term, err := c.cluster.leader(ctx)
				if err != nil {
					return err
				}
				if err := c.pulse(ctx, leader, 2*election+time.Duration(c.rng.IntN(2000))*time.Millisecond); err != nil {
					return err
				}
				if _, next, err := c.cluster.leader(ctx); err == nil && next > term {
					c.felt++
				}
				return nil
			},
		},
		{
			name: "etcd without quorum", felt: "times that etcd did not answer for want of a majority", members: 3, signals: true,
			round: withoutQuorum,
		},
		{
			name: "etcd cut off", felt: "holders that were cut off from etcd until their lease was over",
			round: func(ctx context.Context, c *cell) error { return c.isolate(ctx, (*proxy).cutWire) },
		},
		{
			name: "etcd's answers lost", felt: "holders that etcd heard, and that did not hear etcd",
			round: func(ctx context.Context, c *cell) error { return c.isolate(ctx, (*proxy).deafen) },
		},
		{
			name: "etcd connections broken", felt: "connections to etcd broken",
			round: func(ctx context.Context, c *cell) error {
				for range 10 {
					n := c.nodes[c.rng.IntN(len(c.nodes))]
					before := felt(n.etcd)
					for _, p := range n.etcd {
						p.resetAll()
					}
					c.felt += felt(n.etcd) - before
					wait(ctx, 100*time.Millisecond)
				}
				return nil
			},
		},
		{
			name: "etcd compacted", felt: "compactions while somebody waited for the lock",
			round: compact,
		},
	}
}

// pulse stops a member of etcd for a while.
func (c *cell) pulse(ctx context.Context, member int, d time.Duration) error {
	m := c.cluster.members[member]
	if err := m.pause(); err != nil {
		return err
	}
	wait(ctx, d)
	return m.resume()
}

// isolate does something to all wires between a holder and etcd until its key
// is gone.
func (c *cell) isolate(ctx context.Context, do func(*proxy)) error {
	return c.dance(ctx, dance{
		end: func(ctx context.Context, a *node, key *mvccpb.KeyValue) error {
			for _, p := range a.etcd {
				do(p)
			}
			// Deaf, the holder may go on renewing its lease.
			bounded, cancel := context.WithTimeout(ctx, 3*ttl)
			defer cancel()
			_ = c.awaitGone(bounded, key)
			return ctx.Err()
		},
		after: (*node).heal,
	})
}

func withoutQuorum(ctx context.Context, c *cell) error {
	leader, _, err := c.cluster.leader(ctx)
	if err != nil {
		return err
	}
	others := []*process{c.cluster.members[leader], c.cluster.members[(leader+1)%3]}
	for _, m := range others {
		if err := m.pause(); err != nil {
			return err
		}
	}
	for until := time.Now().Add(2 * ttl); time.Now().Before(until); {
		asked, cancel := context.WithTimeout(ctx, ttl/2)
		if _, err := c.cluster.cli.Get(asked, c.namespace); err != nil {
			c.felt++
		}
		cancel()
	}
	for _, m := range others {
		if err := m.resume(); err != nil {
			return err
		}
	}
	return nil
}

// compact throws etcd's past away while workers wait for what they read of it.
func compact(ctx context.Context, c *cell) error {
	a := c.nodes[c.rng.IntN(len(c.nodes))]
	op, err := c.order(a, step{Kind: counting, How: byDo, Key: c.data.Counters[0], Stop: true})
	if err != nil {
		return err
	}
	if read, err := c.hist.hasRead(ctx, op); err != nil || !read {
		return err
	}
	for range 20 {
		holders, err := c.cluster.queue(ctx, c.namespace)
		if err != nil {
			return err
		}
		if holders.Count < 2 {
			wait(ctx, heartbeat)
			continue
		}
		if _, err := c.cluster.cli.Compact(ctx, holders.Header.Revision); err != nil {
			return fmt.Errorf("compacting: %w", err)
		}
		c.felt++
		break
	}
	if err := goOn(a, op); err != nil {
		return err
	}
	_, err = c.hist.answered(ctx, op)
	return err
}
