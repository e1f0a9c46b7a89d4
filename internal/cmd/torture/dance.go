package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// dance is the figure in which locks fail: A reads and stops; its hold ends
// without its knowledge; B reads; A goes on and writes; B writes.
type dance struct {
	// end takes A's hold away. key is A's in etcd, nil if the design has none.
	end func(ctx context.Context, a *node, key *mvccpb.KeyValue) error
	// before lets A go on.
	before func(a *node) error
	// after repairs what end broke, when A has written or can do no more.
	after func(a *node)
	// bFirst has B write before A goes on.
	bFirst bool
	// how A goes about it; empty means one way after the other.
	how way
}

// blocked is how long B may take to read before it is believed to wait for A's
// open transaction. Nothing is concluded from it but that A must go on.
const blocked = time.Second

// dance counts it as felt when B came in between, or waited for A's transaction.
func (c *cell) dance(ctx context.Context, d dance) error {
	i := c.rng.IntN(len(c.nodes))
	a, b := c.nodes[i], c.nodes[(i+1)%len(c.nodes)]
	key := c.data.Counters[c.rng.IntN(len(c.data.Counters))]
	if d.how == "" {
		ways := c.place.ways()
		d.how = ways[c.dances%len(ways)]
		c.dances++
	}
	opA, err := c.order(a, step{Kind: counting, How: d.how, Key: key, Stop: true})
	if err != nil {
		return err
	}
	if read, err := c.hist.hasRead(ctx, opA); err != nil || !read {
		return err // refused before it began: no dance this time
	}
	held, err := c.holderKey(ctx)
	if err == nil {
		err = d.end(ctx, a, held)
	}
	if err != nil {
		return errors.Join(err, c.letGo(a, opA, d))
	}
	opB, err := c.order(b, step{Kind: counting, How: d.how, Key: key, Stop: !d.bFirst})
	if err != nil {
		return err
	}
	short, cancel := ctx, func() {}
	if c.design == holdfast { // no other has a transaction open while it waits
		short, cancel = context.WithTimeout(ctx, blocked)
	}
	defer cancel()
	var between bool
	if d.bFirst {
		var o op
		o, err = c.hist.answered(short, opB)
		between = err == nil && o.Outcome == isDone
	} else {
		between, err = c.hist.hasRead(short, opB)
	}
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err := c.letGo(a, opA, d); err != nil {
		return err
	}
	if d.after != nil {
		short, cancel := context.WithTimeout(ctx, c.unanswered())
		defer cancel()
		_, _ = c.hist.answered(short, opA) // giving its lock back it may wait for the repair
		d.after(a)
	}
	doneA, err := c.hist.answered(ctx, opA)
	if err != nil {
		return err
	}
	if !d.bFirst {
		if read, err := c.hist.hasRead(ctx, opB); err != nil {
			return err
		} else if read {
			if err := goOn(b, opB); err != nil {
				return err
			}
		}
	}
	if _, err := c.hist.answered(ctx, opB); err != nil {
		return err
	}
	c.felt++
	if between {
		c.mustLose++
		if c.design == holdfast && doneA.Outcome == isDone {
			c.problems = append(c.problems, fmt.Sprintf("%s was acknowledged although %s had come in between", opA, opB))
		}
	}
	return nil
}

// unanswered is how long A may take to write before what its end broke is
// repaired.
func (c *cell) unanswered() time.Duration {
	if c.campaign.short {
		return 400 * time.Millisecond
	}
	return blocked
}

func (c *cell) letGo(a *node, op string, d dance) error {
	if d.before != nil {
		if err := d.before(a); err != nil {
			return err
		}
	}
	return goOn(a, op)
}

// holderKey is the key of the one who holds the lock.
func (c *cell) holderKey(ctx context.Context) (*mvccpb.KeyValue, error) {
	resp, err := c.cluster.cli.Get(ctx, c.namespace, clientv3.WithPrefix(),
		clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortAscend), clientv3.WithLimit(1))
	if err != nil || len(resp.Kvs) == 0 {
		return nil, err
	}
	return resp.Kvs[0], nil
}

// awaitGone waits until a key is not there any more.
func (c *cell) awaitGone(ctx context.Context, key *mvccpb.KeyValue) error {
	if key == nil {
		return nil
	}
	for {
		resp, err := c.cluster.cli.Get(ctx, string(key.Key))
		if err == nil && (len(resp.Kvs) == 0 || resp.Kvs[0].CreateRevision != key.CreateRevision) {
			return nil
		}
		if !wait(ctx, heartbeat) {
			return fmt.Errorf("waiting for a key of etcd to go: %w", context.Cause(ctx))
		}
	}
}

func (c *cell) revoke(ctx context.Context, key *mvccpb.KeyValue) error {
	if key == nil {
		return nil
	}
	_, err := c.cluster.cli.Revoke(ctx, clientv3.LeaseID(key.Lease))
	if err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) { // it may be over already
		return fmt.Errorf("revoking a lease: %w", err)
	}
	return nil
}
