package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Places of the ways to save.
const (
	plainSave = iota
	fencedSave
	lockedSave
	lockedFencedSave
	plainTx // where there are transactions
	fencedTx
)

// load is who saves how much.
type load struct{ callers, rows int }

func (l load) String() string { return plural(l.callers, "caller") + ", " + plural(l.rows, "row") }

// way is one way to save, with those who save by it.
type way struct {
	name string
	// byHand tells that each caller shows the claims of a fence of its own.
	byHand  bool
	records repo.Repository[record]
	// tx is where each save has a transaction around it; nil elsewhere.
	tx      repo.Transactor
	callers []saver
	saves   atomic.Int64
}

// saver saves its own records again and again.
type saver struct {
	records []*record
	fence   driver.Fence // nil: none, or that of the lock
}

// handFence makes the claims of a hold that nobody else wants.
type handFence struct {
	claim repo.Claim
	sub   atomic.Int64
}

func (f *handFence) Claims() []repo.Claim {
	c := f.claim
	c.Sub += f.sub.Add(1)
	return []repo.Claim{c}
}

// Keys names none: the callers have keys of their own for one table.
func (f *handFence) Keys() []string { return nil }

// waysOf makes all ways to save under a load, whose records are there then.
func waysOf(ctx context.Context, k storeKind, s *store, l *etcdlock.Locker, of load) ([]*way, error) {
	ways := []*way{
		plainSave:        {name: "unlocked, no fence"},
		fencedSave:       {name: "unlocked, fence by hand", byHand: true},
		lockedSave:       {name: "locked, no fence"},
		lockedFencedSave: {name: "locked, fenced"},
	}
	if k.transactions {
		ways = append(ways,
			&way{name: "unlocked, in a transaction, no fence"},
			&way{name: "unlocked, in a transaction, fence by hand", byHand: true})
	}
	for i, w := range ways {
		if err := w.prepare(ctx, s, of); err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		switch i {
		case lockedSave, lockedFencedSave:
			// Saves put together would share one raise of the fence.
			opts := &lockedrepo.Options{Key: s.key, Separate: true}
			if i == lockedSave {
				opts.Key, opts.Unfenced = uniqueName("no-fence"), true
			}
			locked, err := lockedrepo.New(w.records, l, opts)
			if err != nil {
				return nil, err
			}
			w.records = locked
		case plainTx, fencedTx:
			tx, ok := w.records.(repo.Transactor)
			if !ok {
				return nil, fmt.Errorf("%s has no transactions", k.name)
			}
			w.tx = tx
		}
		if w.byHand {
			if err := w.first(ctx); err != nil {
				return nil, fmt.Errorf("%s: %w", w.name, err)
			}
		}
	}
	return ways, nil
}

// prepare makes the callers and their records.
func (w *way) prepare(ctx context.Context, s *store, of load) (err error) {
	if w.records, err = s.repository(); err != nil {
		return err
	}
	text := strings.Repeat("some text ", 10)
	var all []*record
	for i := range of.callers {
		var c saver
		for n := range of.rows {
			c.records = append(c.records, &record{ID: int64(1 + i*of.rows + n), Text: text})
		}
		all = append(all, c.records...)
		if w.byHand {
			c.fence = &handFence{claim: repo.Claim{Key: uniqueName("by-hand"), Token: 1, Owner: uniqueName("owner"), Sub: 1 << 32}}
		}
		w.callers = append(w.callers, c)
	}
	return w.records.SaveAll(ctx, all)
}

// first has every caller save once: the rows that their fences need are made
// then, and the connections, which is no part of the figures.
func (w *way) first(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, c := range w.callers {
		g.Go(func() error { return w.save(ctx, c) })
	}
	return g.Wait()
}

// window has all callers save until the window is over and returns the
// microseconds that each save took of it.
func (w *way) window(ctx context.Context, window time.Duration) (float64, error) {
	before, began := w.saves.Load(), time.Now()
	ctx, cancel := context.WithTimeout(ctx, window+drain)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	for _, c := range w.callers {
		g.Go(func() error {
			for {
				if err := w.save(ctx, c); err != nil {
					return err
				}
				if time.Since(began) >= window {
					return nil
				}
			}
		})
	}
	err := g.Wait()
	return micros(time.Since(began)) / float64(w.saves.Load()-before), err
}

func (w *way) save(ctx context.Context, c saver) error {
	for _, r := range c.records {
		r.N++
	}
	if c.fence != nil {
		ctx = driver.WithFence(ctx, c.fence)
	}
	write := func(ctx context.Context) error {
		if len(c.records) == 1 {
			return w.records.Save(ctx, c.records[0])
		}
		return w.records.SaveAll(ctx, c.records)
	}
	var err error
	if w.tx != nil {
		err = w.tx.InTx(ctx, write)
	} else {
		err = write(ctx)
	}
	w.saves.Add(1)
	return err
}
