package main

import (
	"context"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// fault is something that goes wrong, and how it is known that it did.
type fault struct {
	name string
	// felt says what is counted.
	felt string
	// members is how many etcd has; 0 means 1.
	members int
	// stores that it can be done on; none means all. why tells about the others.
	stores []string
	why    string
	// explained names errors that callers may get in addition to the usual ones.
	explained []string
	load      load
	// setup is how the workers reach their database under it.
	setup setup
	// needs is a program of this machine that it takes.
	needs program
	// beats are the weaker designs that lose under it for certain.
	beats []string
	// signals tells that processes must be stopped for it.
	signals bool
	// short are the stores on which it belongs to the short run.
	short []string
	round func(ctx context.Context, c *cell) error
}

// noFault is the one to compare the others with.
const noFault = "none"

// usual are the errors that a caller must be ready for at any time, and those of saves that
// fail by themselves, which some do under every fault.
var usual = []string{ofFenced, ofLost, ofTimeout, ofBlocked, ofDeadline, ofUnknown, ofBusy, ofSpoiled, ofLeft} //nolint:gochecknoglobals // a table, never written to

func (f *fault) on(store string) bool {
	return len(f.stores) == 0 || slices.Contains(f.stores, store)
}

func (f *fault) cluster() int { return max(f.members, 1) }

// faults are all of them, those of the holder first.
func faults() []*fault {
	return slices.Concat(holderFaults(), etcdFaults(), databaseFaults(), transactionFaults(), setupFaults())
}

// holderFaults happen to the process that holds the lock.
func holderFaults() []*fault {
	return []*fault{
		{
			name: noFault, felt: "times that something was acknowledged", short: allStores,
			round: func(ctx context.Context, c *cell) error {
				_, err := c.hist.progress(ctx, time.Now())
				c.felt++
				wait(ctx, time.Second)
				return err
			},
		},
		{
			name: "slow hold", felt: "holds longer than a lease",
			beats: []string{noLock, shortLease},
			round: func(ctx context.Context, c *cell) error {
				return c.dance(ctx, dance{end: func(ctx context.Context, _ *node, key *mvccpb.KeyValue) error {
					wait(ctx, ttl+ttl/2)
					if c.design == shortLease {
						return c.awaitGone(ctx, key)
					}
					return nil
				}})
			},
		},
		{
			name: "holder stopped", felt: "holders stopped after they had read, until their lease was over", short: []string{onPostgres},
			beats: []string{noLock, shortLease, mutex}, signals: true,
			round: func(ctx context.Context, c *cell) error {
				return c.dance(ctx, dance{
					end: func(ctx context.Context, a *node, key *mvccpb.KeyValue) error {
						if err := a.p.pause(); err != nil {
							return err
						}
						return c.awaitGone(ctx, key)
					},
					before: func(a *node) error { return a.p.resume() },
					bFirst: c.design != holdfast || c.rng.IntN(2) == 0,
				})
			},
		},
		{
			name: "signature", felt: "stale holders that wrote after the next one had read, or before it could", short: allStores,
			beats: []string{noLock, shortLease, mutex, mutexFence},
			round: signature,
		},
		{
			name: "holder killed", felt: "holders killed after they had read", short: []string{onPostgres}, signals: true,
			explained: []string{ofDatabase}, round: killHolder,
		},
		{
			name: "cancelled callers", felt: "operations whose context ended halfway",
			explained: []string{ofCancel}, load: load{Cancel: 0.3},
			round: func(ctx context.Context, c *cell) error {
				wait(ctx, time.Second)
				c.felt = c.hist.count(func(o *op) bool { return slices.Contains(o.Kinds, ofCancel) })
				return nil
			},
		},
		{
			name: "failing members", felt: "operations that failed by an error, a panic or a constraint of their own", short: []string{onPostgres},
			explained: []string{ofSpoiled}, load: load{Spoil: 0.3},
			round: func(ctx context.Context, c *cell) error {
				wait(ctx, time.Second)
				c.felt = c.hist.count(func(o *op) bool { return slices.Contains(o.Kinds, ofSpoiled) })
				return nil
			},
		},
		{
			name: "locker reopened", felt: "lockers closed under their callers and opened again",
			explained: []string{ofClosed, ofCancel},
			round: func(ctx context.Context, c *cell) error {
				n, before := c.nodes[c.rng.IntN(len(c.nodes))], c.hist.event(isReopen)
				if err := n.p.send(order{Do: doReopen}); err != nil {
					return err
				}
				err := c.hist.until(ctx, "a locker to be opened again", func() bool { return c.hist.events[isReopen] > before })
				c.felt++
				wait(ctx, 200*time.Millisecond)
				return err
			},
		},
		{
			name: "late transaction", felt: "requests that reached the database after their turn was over",
			stores: []string{onPostgres, onMariaDB, onMongoDB}, why: "the database is in the process itself: nothing is under way when a call returns",
			explained: []string{ofDatabase, ofCancel}, round: lateTransaction,
		},
	}
}

// signature takes the hold away without telling: only the store can stop the
// holder. Reading and writing in two transactions, the holder must be refused.
// Nobody else writes meanwhile: that would fence the holder off, too.
func signature(ctx context.Context, c *cell) error {
	return c.calmly(ctx, func() error {
		for _, how := range c.signatures() {
			err := c.dance(ctx, dance{
				how: how,
				end: func(ctx context.Context, a *node, key *mvccpb.KeyValue) error {
					for _, p := range a.etcd {
						p.cutWire()
					}
					return c.revoke(ctx, key)
				},
				after: (*node).heal,
			})
			if err != nil || c.design != holdfast { // which knows but one way
				return err
			}
		}
		return nil
	})
}

// signatures are the ways in which the signature is tried. In the short run only
// the laboratory's has all of them.
func (c *cell) signatures() []way {
	if c.campaign.short && c.fault.setup != (setup{}) {
		return []way{byDo}
	}
	return c.place.ways()
}

// killHolder kills a process that has read under the lock, and starts another
// in its place.
func killHolder(ctx context.Context, c *cell) error {
	i := c.rng.IntN(len(c.nodes))
	a := c.nodes[i]
	op, err := c.order(a, step{Kind: counting, How: c.place.way(c.rng), Key: c.data.Counters[0], Stop: true})
	if err != nil {
		return err
	}
	read, err := c.hist.hasRead(ctx, op)
	if err != nil {
		return err
	}
	a.close()
	if read {
		c.felt++
	}
	healed := time.Now()
	if c.nodes[i], err = c.startNode(ctx, i, a.life+1); err != nil {
		return err
	}
	if err := c.busy(c.nodes[i]); err != nil {
		return err
	}
	patience, cancel := context.WithTimeout(ctx, c.campaign.patience)
	defer cancel()
	took, err := c.hist.progress(patience, healed)
	c.slowest = max(c.slowest, took)
	return err
}

// lateTransaction holds a write of one caller on the wire until its context has
// ended and the next caller of the same process has read.
func lateTransaction(ctx context.Context, c *cell) error {
	a := c.nodes[c.rng.IntN(len(c.nodes))]
	list := c.data.Lists[c.rng.IntN(len(c.data.Lists))]
	first, err := c.order(a, step{Kind: appending, How: byDo, Key: list, Stop: true})
	if err != nil {
		return err
	}
	if read, err := c.hist.hasRead(ctx, first); err != nil || !read {
		return err
	}
	late := sign{first} // the write itself carries the name that is appended
	if c.place.moves() && c.rng.IntN(2) == 0 {
		late = sign{"commit"}
	}
	a.db.set(func() deed { return hold }, late)
	defer a.db.release()
	if err := goOn(a, first); err != nil {
		return err
	}
	select {
	case <-a.db.hit:
	case <-time.After(blocked):
		a.db.heal()
		_, err := c.hist.answered(ctx, first) // it went another way this time
		return err
	}
	if err := a.p.send(order{Do: doCancel, Op: first}); err != nil {
		return err
	}
	second, err := c.order(a, step{Kind: appending, How: byDo, Key: list, Stop: true})
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, blocked)
	defer cancel()
	_, _ = c.hist.hasRead(short, second) // it may have to wait for the transaction that is held
	if answered, caught := a.db.release(); caught {
		c.felt++
		select {
		case <-answered:
		case <-time.After(blocked): // the server has nothing to say to what came
		}
	}
	if read, err := c.hist.hasRead(ctx, second); err != nil {
		return err
	} else if read {
		if err := goOn(a, second); err != nil {
			return err
		}
	}
	_, err = c.hist.answered(ctx, second)
	if err != nil {
		return err
	}
	_, err = c.hist.answered(ctx, first)
	return err
}
