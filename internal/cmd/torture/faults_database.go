package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// onServers are the stores that a wire leads to.
var onServers = []string{onPostgres, onMariaDB, onMongoDB} //nolint:gochecknoglobals // a table, never written to

const noWire = "a file has no wire"

// databaseFaults happen to the store, or on the way there.
func databaseFaults() []*fault {
	return []*fault{
		{
			name: "database cut off", felt: "requests and answers kept back", stores: onServers, why: noWire, explained: []string{ofDatabase, ofCancel},
			round: func(ctx context.Context, c *cell) error {
				n := c.nodes[c.rng.IntN(len(c.nodes))]
				before := n.db.felt.Load()
				n.db.cutWire()
				wait(ctx, ttl+ttl/2)
				c.felt += n.db.felt.Load() - before
				n.db.heal()
				return nil
			},
		},
		{
			name: "database connections broken", felt: "connections to the database broken", stores: onServers, why: noWire,
			explained: []string{ofDatabase, ofCancel},
			round: func(ctx context.Context, c *cell) error {
				for range 10 {
					n := c.nodes[c.rng.IntN(len(c.nodes))]
					before := n.db.felt.Load()
					n.db.resetAll()
					c.felt += n.db.felt.Load() - before
					wait(ctx, 100*time.Millisecond)
				}
				return nil
			},
		},
		{
			name: "commits lost", felt: "commits lost on the way there or back", stores: onServers, why: noWire,
			explained: []string{ofDatabase, ofCancel}, round: loseCommits,
		},
		{
			name: "host vanished", felt: "hosts that vanished with a transaction open, or a document read", stores: onServers,
			why:     "a process that is stopped inside a transaction keeps the file locked, and SQLite has no limit for that",
			signals: true, explained: []string{ofDatabase, ofCancel}, round: vanish,
		},
		{
			name: "file locked", felt: "times that a stranger held the file", stores: []string{onSQLite}, why: "there is no file",
			explained: []string{ofDatabase}, round: lockFile,
		},
	}
}

// commits are the signs of a request that makes a write come true.
func (c *cell) commits() []sign {
	if c.store.name == onMongoDB {
		return []sign{{"findandmodify"}, {"\x02update\x00"}, {"\x02insert\x00"}}
	}
	signs := []sign{{"commit"}}
	if c.store.name == onPostgres {
		// One statement that shows a claim and writes a record.
		for _, id := range c.data.all() {
			signs = append(signs, sign{strings.ToLower(lockName), id})
		}
		signs = append(signs, sign{strings.ToLower(lockName), savedPrefix})
	}
	return signs
}

// loseCommits loses one in ten of them.
func loseCommits(ctx context.Context, c *cell) error {
	before := felt(c.databaseWires())
	for _, p := range c.databaseWires() {
		lots := c.rng.Uint64()
		p.set(func() deed {
			lots = lots*6364136223846793005 + 1442695040888963407
			switch (lots >> 33) % 20 {
			case 0:
				return loseRequest
			case 1:
				return loseAnswer
			}
			return nothing
		}, c.commits()...)
	}
	wait(ctx, time.Second)
	for _, p := range c.databaseWires() {
		p.heal()
	}
	c.felt += felt(c.databaseWires()) - before
	return nil
}

func (c *cell) databaseWires() []*proxy {
	var wires []*proxy
	for _, n := range c.nodes {
		wires = append(wires, n.db)
	}
	return wires
}

// vanish stops a process inside its transaction and waits for the others to go
// on without it.
func vanish(ctx context.Context, c *cell) error {
	a := c.nodes[c.rng.IntN(len(c.nodes))]
	how := byTx
	if !c.place.moves() {
		how = byUpdate
	}
	op, err := c.order(a, step{Kind: counting, How: how, Key: c.data.Counters[0], Stop: true})
	if err != nil {
		return err
	}
	if read, err := c.hist.hasRead(ctx, op); err != nil || !read {
		return err
	}
	if err := a.p.pause(); err != nil {
		return err
	}
	c.felt++
	// The lease ends, and then the database gives up the transaction.
	limit := ttl + 3*ttl + c.campaign.patience
	patience, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, stuck := c.hist.progress(patience, time.Now())
	if err := a.p.resume(); err != nil {
		return err
	}
	if err := goOn(a, op); err != nil {
		return err
	}
	if stuck != nil {
		return fmt.Errorf("a host that vanished blocks the others for longer than %v: %w", limit, stuck)
	}
	_, err = c.hist.answered(ctx, op)
	return err
}

// lockFile takes SQLite's lock from outside for a while.
func lockFile(ctx context.Context, c *cell) error {
	b, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer b.close()
	tx := b.db.WithContext(ctx).Begin()
	if tx.Error != nil {
		return tx.Error
	}
	c.felt++
	wait(ctx, ttl)
	return tx.Rollback().Error
}
