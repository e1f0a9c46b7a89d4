package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
)

// node is a worker process and the wires that it hangs on.
type node struct {
	index, life int
	p           *process
	etcd        []*proxy
	db          *proxy // nil where there is no server
	ready       chan struct{}
}

// startNode starts a worker and waits until it is ready.
func (c *cell) startNode(ctx context.Context, index, life int) (n *node, err error) {
	n = &node{index: index, life: life, ready: make(chan struct{})}
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	job := workerJob{
		Index: index, Life: life, Design: c.design, Key: lockName, Namespace: c.namespace,
		Seed: c.rng.Uint64(), Data: c.data,
	}
	if c.fault.setup.OwnKey {
		job.Key = fmt.Sprintf("%s/%d", lockName, index)
	}
	if job.Place, err = c.place.of(index); err != nil {
		return n, err
	}
	for _, ep := range c.cluster.endpoints {
		u, err := url.Parse(ep)
		if err != nil {
			return n, err
		}
		p, err := startProxy(u.Host)
		if err != nil {
			return n, err
		}
		n.etcd = append(n.etcd, p)
		job.Endpoints = append(job.Endpoints, "http://"+p.addr())
	}
	if c.place.Host != "" {
		if n.db, err = startProxy(hostPort(c.place.Host, c.place.Store)); err != nil {
			return n, err
		}
		if job.Place, err = job.Place.through(n.db.addr()); err != nil {
			return n, err
		}
	}
	n.p, err = startProcess(ctx, workerRole, job, func(line []byte) {
		var r report
		if err := json.Unmarshal(line, &r); err != nil {
			r = report{What: isLeak, Err: fmt.Sprintf("worker %d says %q", index, line)}
		}
		if r.What == isReady {
			close(n.ready)
			return
		}
		c.hist.add(index, r)
	})
	if err != nil {
		return n, err
	}
	select {
	case <-n.ready:
		return n, nil
	case <-n.p.gone:
		return n, fmt.Errorf("worker %d ended while it started", index)
	case <-ctx.Done():
		return n, fmt.Errorf("worker %d does not get ready: %w", index, context.Cause(ctx))
	}
}

// wires are all connections of the worker.
func (n *node) wires() []*proxy {
	if n.db == nil {
		return n.etcd
	}
	return append([]*proxy{n.db}, n.etcd...)
}

func (n *node) heal() {
	for _, p := range n.wires() {
		p.heal()
	}
}

func (n *node) close() {
	if n.p != nil {
		n.p.kill()
	}
	for _, p := range n.wires() {
		if p != nil {
			p.close()
		}
	}
}

// felt is how often the wires to etcd did what they should not.
func felt(wires []*proxy) int64 {
	var sum int64
	for _, p := range wires {
		sum += p.felt.Load()
	}
	return sum
}

// order gives a step to a worker and returns its name.
func (c *cell) order(n *node, s step) (string, error) {
	c.steps++
	name := fmt.Sprintf("s%d.%d.%d", n.index, n.life, c.steps)
	return name, n.p.send(order{Do: doStep, Op: name, Step: &s})
}

// goOn lets a step write that has read.
func goOn(n *node, name string) error { return n.p.send(order{Do: doGo, Op: name}) }

// all does something with every worker.
func (c *cell) all(do func(*node) error) error {
	var failed []error
	for _, n := range c.nodes {
		failed = append(failed, do(n))
	}
	return errors.Join(failed...)
}
