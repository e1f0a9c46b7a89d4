package main

import (
	"context"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// pgxModes are the ways in which pgx executes statements, but for the usual one.
var pgxModes = []string{"cache_describe", "describe_exec", "exec", "simple_protocol"} //nolint:gochecknoglobals // a table, never written to

const staleFelt = "stale holders that wrote after the next one had read, or before it could"

// setupFaults are the ways in which services reach their database that differ
// from the laboratory's. Under each of them a holder is late.
func setupFaults() []*fault {
	faults := []*fault{
		{
			name: "dbresolver", stores: onSQL, why: noGORM, short: []string{onPostgres},
			setup: setup{Resolver: true}, beats: []string{handFenced},
		},
		{
			name: "stale replica", felt: "stale holders, while reads without a lock came from a replica that nothing reaches", stores: onSQL, why: noGORM,
			short: []string{onSQLite}, setup: setup{Resolver: true, Stale: true}, beats: []string{mutex}, round: trustReplica,
		},
		{
			name: "two search paths", stores: []string{onPostgres, onMariaDB}, why: "it has no schemas", short: []string{onPostgres},
			setup: setup{OwnSchema: true}, beats: []string{handFenced},
		},
		{
			name: "two keys", felt: "calls that were refused because they locked another key", short: []string{onSQLite},
			setup: setup{OwnKey: true}, beats: []string{handFenced}, explained: []string{ofWrongKey}, round: lockOthers,
		},
		{
			name: "stripes", felt: "stale holders of a stripe that wrote after the next one had read, or before it could", short: []string{onPostgres},
			setup: setup{Stripes: stripes}, beats: []string{mutexFence}, explained: []string{ofCancel}, load: load{Spoil: 0.2, Cancel: 0.1}, round: signature,
		},
		{
			name: "stripes, commits lost", felt: "commits lost on the way there or back", stores: onServers, why: noWire,
			setup: setup{Stripes: stripes}, beats: []string{handFenced}, explained: []string{ofDatabase, ofCancel}, round: loseAnswers,
		},
		{
			name: "SERIALIZABLE", stores: []string{onPostgres, onMariaDB}, why: oneIsolation, short: []string{onMariaDB},
			setup: setup{Isolation: "serializable"}, beats: []string{mutexFence}, explained: []string{ofDatabase},
		},
		{
			name: "REPEATABLE READ", stores: []string{onPostgres, onMariaDB}, why: oneIsolation,
			setup: setup{Isolation: "repeatable read"}, beats: []string{mutexFence}, explained: []string{ofDatabase},
		},
		{
			name: "PrepareStmt", stores: onSQL, why: noGORM, short: []string{onPostgres},
			setup: setup{Prepared: true}, beats: []string{mutexFence},
		},
		{
			name: "dbresolver, PrepareStmt", stores: onSQL, why: noGORM,
			setup: setup{Resolver: true, Prepared: true}, beats: []string{handFenced},
		},
		{
			name: "lib/pq", stores: []string{onPostgres}, why: "it is a driver of PostgreSQL",
			setup: setup{OtherDriver: true}, beats: []string{mutexFence},
		},
		{
			name: "transaction pooling", stores: []string{onPostgres}, why: "PgBouncer is for PostgreSQL", needs: pooler, short: []string{onPostgres},
			// A statement that one server has prepared is unknown to the next.
			setup: setup{ExecMode: "exec"}, beats: []string{mutexFence},
		},
	}
	faults = append(faults, &fault{
		// Without an answer pgx says here that the connection was bad, as if nothing
		// had been sent, and database/sql sends it again.
		name: "pgx simple_protocol, commits lost", felt: "commits lost on the way there or back", stores: []string{onPostgres},
		why: "pgx is a driver of PostgreSQL", setup: setup{ExecMode: "simple_protocol"}, beats: []string{handFenced},
		explained: []string{ofDatabase, ofCancel}, round: loseAnswers,
	})
	for _, mode := range pgxModes {
		faults = append(faults, &fault{
			name: "pgx " + mode, stores: []string{onPostgres}, why: "pgx is a driver of PostgreSQL",
			setup: setup{ExecMode: mode}, beats: []string{mutexFence},
		})
	}
	for _, f := range faults {
		if f.round == nil {
			f.felt, f.round = staleFelt, signature
		}
	}
	return faults
}

// stripes is how many divide the lock.
const stripes = 4

const (
	noGORM       = "GORM is not for it"
	oneIsolation = "it has but one isolation"
)

// lockOthers waits for those who lock another key than the one that guards the
// table. Designs that do not notice let both in at the same time.
func lockOthers(ctx context.Context, c *cell) error {
	if c.design != holdfast {
		return c.dance(ctx, dance{end: func(context.Context, *node, *mvccpb.KeyValue) error { return nil }})
	}
	wait(ctx, time.Second)
	c.felt = c.hist.count(func(o *op) bool { return slices.Contains(o.Kinds, ofWrongKey) })
	return nil
}

// trustReplica has a holder be late while replicas are of no use. Designs that
// read from them begin each count with the same value.
func trustReplica(ctx context.Context, c *cell) error {
	if c.design == holdfast {
		return signature(ctx, c)
	}
	for _, n := range c.nodes {
		op, err := c.order(n, step{Kind: counting, How: byDo, Key: c.data.Counters[0]})
		if err != nil {
			return err
		}
		if _, err := c.hist.answered(ctx, op); err != nil {
			return err
		}
		if c.felt++; c.felt > 1 {
			c.mustLose++
		}
	}
	return nil
}

// loseAnswers loses commits. A design that takes an error for a refusal says of
// a write that is there that it is not.
func loseAnswers(ctx context.Context, c *cell) error {
	if c.design == holdfast {
		return loseCommits(ctx, c)
	}
	a := c.nodes[c.rng.IntN(len(c.nodes))]
	op, err := c.order(a, step{Kind: counting, How: byDo, Key: c.data.Counters[0], Stop: true})
	if err != nil {
		return err
	}
	if read, err := c.hist.hasRead(ctx, op); err != nil || !read {
		return err
	}
	before := a.db.felt.Load()
	a.db.set(func() deed { return loseAnswer }, sign{"commit"})
	defer a.db.heal()
	if err := goOn(a, op); err != nil {
		return err
	}
	_, err = c.hist.answered(ctx, op)
	lost := a.db.felt.Load() - before
	c.felt += lost
	c.mustLose += lost
	return err
}
