package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

const (
	bulkSize   = 10_000
	bulkBatch  = 1000
	bulkWindow = 500 * time.Millisecond
	// bulkLoopPart is the part of the rows that the loop of db.Save gets; its time is
	// multiplied by it.
	bulkLoopPart = 10
	// mergeOne document of so many changes something.
	mergeOne = 20
)

// bulk measures many rows at once, without a lock: against GORM, and against what one
// can write by hand.
func (b *bench) bulk(ctx context.Context) error {
	dir, err := os.MkdirTemp(b.dir, "holdfast-bench-bulk-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var all []bulkFigures
	err = onEach(groupStores(), func(k storeKind) error {
		all = append(all, bulkFigures{storeKind: k})
		if k.missing() {
			return nil
		}
		return b.bulkOn(ctx, &all[len(all)-1], dir)
	})
	if err != nil {
		return err
	}
	b.reportBulk(all)
	return nil
}

// bulkFigures are those of one store: costs for each way. There are none where the
// store was missing.
type bulkFigures struct {
	storeKind
	about                  string
	existing, fresh, merge []bulkCosts
	memory                 []float64 // measured once
}

// bulkCost is what one call took, and what it allocated.
type bulkCost struct{ millis, bytes float64 }

// bulkCosts have a figure for each round.
type bulkCosts struct{ millis, bytes []float64 }

func (c *bulkCosts) add(one bulkCost) {
	c.millis, c.bytes = append(c.millis, one.millis), append(c.bytes, one.bytes)
}

// bulkCostOf calls do, at least once, until the calls have taken the window. What prepare
// does before each is no part of it.
func bulkCostOf(ctx context.Context, window time.Duration, prepare func() error, do func(ctx context.Context) error) (bulkCost, error) {
	var took time.Duration
	var before, after runtime.MemStats
	for calls, bytes := 1.0, uint64(0); ; calls++ {
		if err := prepare(); err != nil {
			return bulkCost{}, err
		}
		runtime.GC() // the garbage of others
		runtime.ReadMemStats(&before)
		began := time.Now()
		if err := do(ctx); err != nil {
			return bulkCost{}, err
		}
		took += time.Since(began)
		runtime.ReadMemStats(&after)
		bytes += after.TotalAlloc - before.TotalAlloc
		if took >= window {
			return bulkCost{micros(took) / 1e3 / calls, float64(bytes) / calls}, nil
		}
	}
}

func (b *bench) bulkOn(ctx context.Context, f *bulkFigures, dir string) (err error) {
	s, err := f.open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore(ctx, s)) }()
	f.about = s.about
	if err := s.db.WithContext(ctx).AutoMigrate(&bulkRow{}); err != nil {
		return err
	}
	r, err := gormrepo.New[bulkRow](s.db, nil)
	if err != nil {
		return err
	}
	rows, fresh := bulkRows(b.scale(bulkSize, 1000)), bulkRows(b.scale(bulkSize, 1000))
	ways, merges := bulkWays(r, s), mergeWays(r, s.db)
	f.existing, f.fresh, f.merge = make([]bulkCosts, len(ways)), make([]bulkCosts, len(ways)), make([]bulkCosts, len(merges))
	if err := r.SaveAll(ctx, rows); err != nil {
		return err
	}
	if f.variable == postgresVariable { // which does so itself, within a minute
		if err := s.db.WithContext(ctx).Exec("ANALYZE bulk_rows").Error; err != nil {
			return err
		}
	}
	for round := range b.rounds {
		b.say("bulk: round %d of %d, %s", round+1, b.rounds, f.name)
		err := errors.Join(
			b.bulkRound(ctx, ways, round, rows, func(e *bulkRow) { e.N++ }, f.existing),
			b.bulkRound(ctx, ways, round, fresh, func(e *bulkRow) { e.ID += int64(len(fresh)) }, f.fresh),
			r.SaveAll(ctx, rows), // the loop left some as they were
			b.mergeRound(ctx, merges, round, rows, f.merge))
		if err != nil {
			return err
		}
	}
	if f.variable == postgresVariable {
		f.memory, err = b.bulkMemory(ctx, r)
	}
	return err
}

// bulkRound has each way save the rows, which change before that.
func (b *bench) bulkRound(ctx context.Context, ways []saveFunc[bulkRow], round int, rows []*bulkRow, change func(*bulkRow), got []bulkCosts) error {
	return each(ways, round, func(i int, save saveFunc[bulkRow]) error {
		if save == nil {
			return nil
		}
		some, part := rows, 1
		if i == bulkLoop {
			some, part = rows[:len(rows)/bulkLoopPart], bulkLoopPart
		}
		prepare := func() error {
			lo.ForEach(rows, func(e *bulkRow, _ int) { change(e) })
			return nil
		}
		c, err := bulkCostOf(ctx, b.window(bulkWindow), prepare, func(ctx context.Context) error { return save(ctx, some) })
		if err != nil {
			return fmt.Errorf("%s: %w", bulkWayName(i), err)
		}
		got[i].add(bulkCost{c.millis * float64(part), c.bytes * float64(part)})
		return nil
	})
}

// mergeRound has each way merge documents into rows that are stored as they are.
func (b *bench) mergeRound(ctx context.Context, ways []mergeFunc, round int, rows []*bulkRow, got []bulkCosts) error {
	docs, err := newBulkDocuments(rows)
	if err != nil {
		return err
	}
	return each(ways, round, func(i int, merge mergeFunc) error {
		c, err := bulkCostOf(ctx, b.window(bulkWindow), func() error { return docs.change(mergeOne) },
			func(ctx context.Context) error { return merge(ctx, docs.texts) })
		if err != nil {
			return fmt.Errorf("%s: %w", mergeWayName(i), err)
		}
		got[i].add(c)
		return nil
	})
}
