package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"
)

var (
	allStores  = []string{onPostgres, onMariaDB, onSQLite, onMongoDB}                  //nolint:gochecknoglobals // a table, never written to
	allDesigns = []string{noLock, shortLease, mutex, mutexFence, handFenced, holdfast} //nolint:gochecknoglobals // a table, never written to
)

// goal is how soon work must go on after a fault: a lease ends, a leader is
// elected, and then there are three seconds.
const goal = ttl + election + 3*time.Second

// campaign is a whole run.
type campaign struct {
	config
	status io.Writer
	begun  time.Time
	dir    string

	clusters map[int]*cluster
	stores   []store
	mongo    *process
	programs map[program]*process
	made     map[program]store // what the cells use with them
	cells    []*cell
	left     []string // what is not run, and why

	// patience is how long work may take to go on, and cellLimit how long a
	// cell may take before it is believed to hang.
	patience, cellLimit time.Duration
	historyDir          string
	// quota is how many updates, and how many saves in batches, Holdfast must acknowledge
	// in a cell at least.
	quota  int64
	places int
}

// newCampaign starts the servers.
func newCampaign(ctx context.Context, c config, status io.Writer) (k *campaign, err error) {
	k = &campaign{config: c, status: status, begun: time.Now(), clusters: map[int]*cluster{}, programs: map[program]*process{}, made: map[program]store{}, patience: goal, cellLimit: 3 * time.Minute, historyDir: c.dir}
	if k.historyDir == "" {
		k.historyDir = os.TempDir()
	}
	defer func() {
		if err != nil {
			k.close()
		}
	}()
	fmt.Fprintf(status, "seed %d\n", c.seed)
	if k.dir, err = os.MkdirTemp(c.dir, "holdfast-torture-"); err != nil {
		return k, err
	}
	var uri string
	if k.mongo, uri, err = startMongo(ctx, k.dir); err != nil {
		return k, err
	}
	there, missing := stores(k.dir, uri)
	for _, name := range allStores {
		if why := missing[name]; why != "" {
			if os.Getenv("REQUIRE_BACKENDS") == "1" {
				return k, fmt.Errorf("%s, and REQUIRE_BACKENDS=1 demands it", why)
			}
			k.leaveOut("%s: %s", name, why)
		}
	}
	k.stores = there
	k.plan()
	if k.full() {
		k.quota = leastAcked / int64(len(k.cells)-k.weaker()) * 21 / 20
	}
	for _, cell := range k.cells {
		n := cell.fault.cluster()
		if k.clusters[n] == nil {
			if k.clusters[n], err = startCluster(ctx, k.dir, n); err != nil {
				return k, err
			}
		}
		cell.cluster = k.clusters[n]
		if err := k.equip(ctx, cell); err != nil {
			return k, err
		}
	}
	return k, nil
}

// equip starts the program that a cell needs.
func (k *campaign) equip(ctx context.Context, c *cell) error {
	p := c.fault.needs
	if p == "" {
		return nil
	}
	if k.programs[p] == nil {
		running, made, err := startProgram(ctx, k.dir, p, c.store)
		if err != nil {
			return fmt.Errorf("starting %s: %w", p, err)
		}
		k.programs[p], k.made[p] = running, made
	}
	c.store = k.made[p]
	return nil
}

func (k *campaign) leaveOut(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(k.left, text) {
		k.left = append(k.left, text)
		fmt.Fprintln(k.status, "left out:", text)
	}
}

// plan lists the cells: Holdfast in all of them, the weaker designs on one
// store and where they must lose.
func (k *campaign) plan() {
	for _, f := range faults() {
		if k.short && len(f.short) == 0 || k.fault != "" && f.name != k.fault {
			continue
		}
		if err := checkSignals(); f.signals && err != nil {
			k.leaveOut("%s: %v", f.name, err)
			continue
		}
		if f.needs != "" {
			if _, err := f.needs.find(); err != nil {
				k.leaveOut("%s: %v", f.name, err)
				continue
			}
		}
		for _, d := range f.beats {
			weakest := k.weakest(f)
			if weakest == nil {
				continue
			}
			// MariaDB has no upsert with a condition, MongoDB no transaction.
			if d == mutexFence && !slices.Contains([]string{onPostgres, onSQLite}, weakest.name) {
				k.leaveOut("%s on %s: it needs PostgreSQL or SQLite", d, weakest.name)
				continue
			}
			k.add(f, d, *weakest)
		}
		var not []string
		for _, s := range k.stores {
			if !f.on(s.name) {
				not = append(not, s.name)
				continue
			}
			if !k.short || slices.Contains(f.short, s.name) {
				k.add(f, holdfast, s)
			}
		}
		if len(not) > 0 {
			k.leaveOut("%s on %s: %s", f.name, strings.Join(not, ", "), f.why)
		}
	}
}

// weakest is the store on which the weaker designs lose under a fault: the first
// of PostgreSQL, SQLite and the others that it can be done on.
func (k *campaign) weakest(f *fault) *store {
	names := []string{onPostgres, onSQLite, onMariaDB, onMongoDB}
	if k.store != "" {
		names = []string{k.store}
	}
	for _, name := range names {
		i := slices.IndexFunc(k.stores, func(s store) bool { return s.name == name })
		if i >= 0 && f.on(name) {
			return &k.stores[i]
		}
	}
	return nil
}

func (k *campaign) add(f *fault, design string, s store) {
	if k.store != "" && s.name != k.store || k.design != "" && design != k.design {
		return
	}
	c := &cell{fault: f, design: design, store: s, campaign: k}
	lots := fnv.New64a()
	_, _ = io.WriteString(lots, c.name())
	c.rng = rand.New(rand.NewPCG(k.seed, lots.Sum64())) //nolint:gosec // to be repeated
	k.cells = append(k.cells, c)
}

// full tells that nothing is left to other runs.
func (k *campaign) full() bool { return !k.short && k.store+k.fault+k.design == "" }

// weaker is how many cells are not Holdfast's.
func (k *campaign) weaker() (n int) {
	for _, c := range k.cells {
		if c.design != holdfast {
			n++
		}
	}
	return n
}

// placeName is a name that no other cell and no other run has.
func (k *campaign) placeName() string {
	k.places++
	return fmt.Sprintf("torture_%d_%d", os.Getpid(), k.places)
}

// rounds is how often a fault comes at least.
func (k *campaign) rounds(c *cell) int {
	if k.short || c.design == holdfast {
		return 1
	}
	return 3
}

// run does one cell after the other: they share the machine, and a fault has to
// be felt by one of them alone.
func (k *campaign) run(ctx context.Context) ([]result, error) {
	results := make([]result, 0, len(k.cells))
	for i, c := range k.cells {
		if err := ctx.Err(); err != nil {
			return results, context.Cause(ctx)
		}
		c.namespace = fmt.Sprintf("torture/%d/", i)
		c.until = time.Now()
		if !k.short {
			left := k.duration - time.Since(k.begun)
			c.until = c.until.Add(left/time.Duration(len(k.cells)-i) - cellOverhead)
		}
		r, err := c.run(ctx)
		if err != nil {
			return results, fmt.Errorf("%s: %w", c.name(), err)
		}
		results = append(results, r)
		fmt.Fprintf(k.status, "%3d/%d %-55s %s\n", i+1, len(k.cells), c.name(), r.line())
		if r.history == "" {
			continue
		}
		for _, p := range r.Problems[:min(len(r.Problems), 5)] {
			fmt.Fprintln(k.status, "       ", p)
		}
		fmt.Fprintln(k.status, "        history:", r.history)
	}
	return results, nil
}

// cellOverhead is about how much longer than its fault a cell lasts.
const cellOverhead = 2 * time.Second

func (k *campaign) close() {
	for _, c := range k.clusters {
		c.close()
	}
	if k.mongo != nil {
		k.mongo.kill()
	}
	for name, p := range k.programs { // which end with their processes
		ctx, cancel := context.WithTimeout(context.Background(), openLimit)
		if err := p.end(ctx); err != nil {
			fmt.Fprintf(k.status, "torture: ending %s: %v\n", name, err)
		}
		cancel()
	}
	if err := os.RemoveAll(k.dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(k.status, "torture:", err)
	}
}
