package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// workers is how many processes fight for one lock, and callers how many
// operations each has under way.
const (
	workers = 3
	callers = 8
	savers  = 16 // that save what they have not read
)

// opLimit bounds an operation of the load.
const opLimit = 5 * time.Second

// cell is one fault, done to one design on one store.
type cell struct {
	fault    *fault
	design   string
	store    store
	campaign *campaign

	cluster   *cluster
	place     place
	data      data
	namespace string
	rng       *rand.Rand
	hist      *history
	nodes     []*node
	steps     int // given to workers
	dances    int
	until     time.Time // no round begins after it

	felt     int64         // how often the fault was, for certain
	mustLose int64         // what a weaker design loses for certain
	resolved int64         // unknown outcomes that the database told later
	slowest  time.Duration // from healing to the next acknowledged write
	problems []string
}

// result is a cell when it is over.
type result struct {
	fault, design, store string
	verdict
	felt, mustLose int64
	resolved       int64
	rejected       bool // porcupine finds no order for what a weaker design did
	slowest        time.Duration
	took           time.Duration
	history        string // file, when something was wrong
}

func (c *cell) name() string {
	return strings.Join([]string{c.fault.name, c.design, c.store.name}, ", ")
}

// run returns an error only when the cell could not be run as it should; what
// it found is in the result.
func (c *cell) run(ctx context.Context) (r result, err error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, c.campaign.cellLimit, fmt.Errorf("%s takes longer than %v", c.name(), c.campaign.cellLimit))
	defer cancel()
	c.hist = newHistory()
	c.data = data{
		Counters: numbered("counter", 3), Lists: numbered("list", 4),
		Accounts: numbered("account", 4), Registers: numbered("register", 20),
		Strangers: numbered("stranger", 20),
	}
	c.place, err = c.store.make(ctx, c.campaign.placeName(), c.fault.setup, c.data)
	if err != nil {
		return r, fmt.Errorf("making a place: %w", err)
	}
	defer func() {
		for _, n := range c.nodes {
			n.close()
		}
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), openLimit)
		defer cancel()
		err = errors.Join(err, c.store.drop(clean, c.place))
	}()
	for i := range workers {
		n, err := c.startNode(ctx, i, 0)
		if err != nil {
			return r, err
		}
		c.nodes = append(c.nodes, n)
	}
	if err := c.torture(ctx); err != nil {
		c.problems = append(c.problems, err.Error())
	}
	if err := c.finish(ctx); err != nil {
		c.problems = append(c.problems, err.Error())
	}
	return c.judge(ctx, begun)
}

// open opens the place for the run itself.
func (c *cell) open(ctx context.Context) (*backend, error) {
	return openBackend(ctx, c.place.primary())
}

// torture keeps the workers busy and does the fault to them, again and again.
func (c *cell) torture(ctx context.Context) error {
	if c.design == holdfast {
		if err := c.all(c.busy); err != nil {
			return err
		}
		begin, cancel := context.WithTimeout(ctx, openLimit+c.campaign.patience)
		defer cancel()
		if _, err := c.hist.progress(begin, time.Now()); err != nil {
			return err
		}
	}
	for rounds := 0; rounds < c.campaign.rounds(c) || c.design == holdfast && c.goesOn(); rounds++ {
		begun := time.Now()
		if err := c.fault.round(ctx, c); err != nil {
			return err
		}
		if c.design != holdfast {
			continue
		}
		if err := c.recover(ctx); err != nil {
			return err
		}
		if c.goesOn() { // between the faults there is as much time to work as they take
			wait(ctx, time.Since(begun))
		}
	}
	return nil
}

// goesOn tells that there is time for another round, or too little was done.
func (c *cell) goesOn() bool {
	over := time.Since(c.until)
	return over < 0 || over < c.campaign.cellLimit/3 && c.hist.done() < c.campaign.quota
}

// busy has a worker begin with its load.
func (c *cell) busy(n *node) error {
	l := c.fault.load
	l.Callers, l.Savers, l.Limit = callers, savers, opLimit
	return n.p.send(order{Do: doLoad, Load: &l})
}

// quiet ends the load of all workers.
func (c *cell) quiet(ctx context.Context) error {
	resting := c.hist.event(isResting)
	if err := c.all(func(n *node) error { return n.p.send(order{Do: doRest}) }); err != nil {
		return err
	}
	// Asking for the outcome of a commit goes on when its caller has given up.
	ctx, cancel := context.WithTimeout(ctx, c.campaign.patience+opLimit+2*holdLimit)
	defer cancel()
	return c.hist.until(ctx, "the load to end", func() bool { return c.hist.events[isResting] >= resting+workers })
}

// recover waits until the work goes on after a fault.
func (c *cell) recover(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.campaign.patience)
	defer cancel()
	took, err := c.hist.progress(ctx, time.Now())
	c.slowest = max(c.slowest, took)
	if err != nil {
		return fmt.Errorf("nothing goes on %v after the fault: %w", c.campaign.patience, err)
	}
	return nil
}

// finish ends the workers and looks for what they left behind.
func (c *cell) finish(ctx context.Context) error {
	var failed []error
	for _, n := range c.nodes {
		n.heal()
	}
	failed = append(failed, c.quiet(ctx), c.all(func(n *node) error {
		ending, cancel := context.WithTimeout(ctx, 3*closeLimit)
		defer cancel()
		return n.p.end(ending)
	}))
	return errors.Join(append(failed, c.awaitClean(ctx))...)
}

// awaitClean waits until etcd and the database have nothing of this cell, as
// they must when its leases are over.
func (c *cell) awaitClean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*ttl+c.campaign.patience)
	defer cancel()
	for {
		left, err := c.left(ctx)
		if err == nil && left == "" {
			return nil
		}
		if !wait(ctx, heartbeat) {
			return fmt.Errorf("%s is left: %w", left, errors.Join(err, context.Cause(ctx)))
		}
	}
}

// judge reads what is stored and compares.
func (c *cell) judge(ctx context.Context, begun time.Time) (result, error) {
	b, err := c.open(ctx)
	if err != nil {
		return result{}, err
	}
	defer b.close()
	final, err := b.read(ctx, c.data)
	if err != nil {
		return result{}, fmt.Errorf("reading what is stored: %w", err)
	}
	saved, err := b.readSaved(ctx)
	if err != nil {
		return result{}, fmt.Errorf("reading what is stored: %w", err)
	}
	ops := c.hist.all()
	if err := c.resolve(ctx, b, ops); err != nil {
		c.problems = append(c.problems, err.Error())
	}
	r := result{
		fault: c.fault.name, design: c.design, store: c.store.name, felt: c.felt, mustLose: c.mustLose, resolved: c.resolved,
		slowest: c.slowest, verdict: judge(ops, c.data, final), took: time.Since(begun),
	}
	if c.design != holdfast {
		r.rejected = rejected(ops, c.data)
	} else {
		r.judgeSaves(ops, saved)
		r.judgeErrors(ops, slices.Concat(usual, c.fault.explained))
		if !slices.Contains(c.fault.explained, ofDatabase) {
			// A document does not know any more when the next holder has been there.
			r.judgeUnknown(ops, c.store.name == onMongoDB)
		}
	}
	r.Problems = slices.Concat(c.problems, r.Problems, c.hist.texts)
	if r.wrong() != "" {
		r.history = filepath.Join(c.campaign.historyDir, fmt.Sprintf("torture-%d-%s.jsonl", c.campaign.seed, strings.ReplaceAll(c.name(), ", ", "-")))
		r.history = strings.ReplaceAll(r.history, " ", "_")
		f, err := os.Create(r.history)
		if err != nil {
			return r, err
		}
		return r, errors.Join(write(f, ops), f.Close())
	}
	return r, nil
}

// resolve asks the database for what it told callers to ask later.
func (c *cell) resolve(ctx context.Context, b *backend, ops []op) error {
	for i := range ops {
		o := &ops[i]
		if o.Outcome != isUnknown || o.ID == "" || b.db == nil {
			continue
		}
		written, err := gormrepo.Outcome(ctx, b.db, o.ID)
		if err != nil {
			return fmt.Errorf("asking for the outcome of %s: %w", o.Name, err)
		}
		c.resolved++
		o.Outcome = isRefused
		if written {
			o.Outcome, o.End = isDone, time.Now().UnixNano()
		}
	}
	return nil
}

// wrong tells why the program must fail, or nothing.
func (r *result) wrong() string {
	switch {
	case r.felt == 0:
		return "the fault was not felt"
	case r.design == holdfast && r.Lost > 0:
		return fmt.Sprintf("Holdfast lost %d", r.Lost)
	case r.design == holdfast && len(r.Problems) > 0:
		return r.Problems[0]
	case r.design == holdfast && (r.Acked == 0 || r.Saves.Acked == 0):
		return "nothing was acknowledged"
	case r.design != holdfast && (r.wronged() == 0 || r.wronged() != r.mustLose):
		return fmt.Sprintf("it lost %d, and must lose %d", r.wronged(), r.mustLose)
	case r.design != holdfast && r.Lost > 0 && !r.rejected:
		return "porcupine accepts a history in which updates are lost"
	}
	return ""
}
