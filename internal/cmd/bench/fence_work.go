package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
)

const (
	fenceWindow  = 250 * time.Millisecond
	fenceCallers = 64
	fenceRows    = 10
)

// fence measures what it costs that a store checks claims: saves with a fence
// and without it, with and without the lock.
func (b *bench) fence(ctx context.Context) error {
	var all []fenceFigures
	err := b.withLocker(ctx, "fence", func(l *etcdlock.Locker, dir string) error {
		return onEach(storeKinds(), func(k storeKind) error {
			all = append(all, fenceFigures{storeKind: k})
			if k.missing() {
				return nil
			}
			return b.fenceOn(ctx, &all[len(all)-1], l, dir)
		})
	})
	if err != nil {
		return err
	}
	return b.reportFence(all)
}

// fenceFigures are those of one store.
type fenceFigures struct {
	storeKind
	about, unit string
	loads       []loadFigures // none where the store was missing
}

// loadFigures have a list for each way, with a figure for each round.
type loadFigures struct {
	load
	ways          []string
	micros, trips [][]float64
}

func (b *bench) fenceOn(ctx context.Context, got *fenceFigures, l *etcdlock.Locker, dir string) (err error) {
	s, err := got.open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore(ctx, s)) }()
	got.about, got.unit = s.about, s.unit
	var ways [][]*way
	for _, of := range b.loads(got.storeKind) {
		ws, err := waysOf(ctx, got.storeKind, s, l, of)
		if err != nil {
			return fmt.Errorf("%s: %w", of, err)
		}
		f := loadFigures{load: of, micros: make([][]float64, len(ws)), trips: make([][]float64, len(ws))}
		for _, w := range ws {
			f.ways = append(f.ways, w.name)
		}
		ways, got.loads = append(ways, ws), append(got.loads, f)
	}
	for round := range b.rounds {
		b.say("fence: round %d of %d, %s", round+1, b.rounds, got.name)
		for n, f := range got.loads {
			err := each(ways[n], round, func(i int, w *way) error {
				us, trips, err := s.measure(ctx, w, b.window(fenceWindow))
				if err != nil {
					return fmt.Errorf("%s, %s: %w", f.load, w.name, err)
				}
				f.micros[i], f.trips[i] = append(f.micros[i], us), append(f.trips[i], trips)
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// loads begins with the simplest.
func (b *bench) loads(k storeKind) []load {
	many := b.scale(fenceCallers, 16)
	all := []load{{1, 1}, {many, 1}}
	if k.transactions {
		all = append(all, load{1, fenceRows}, load{many, fenceRows})
	}
	return all
}

// measure returns the microseconds and the round trips of one save; NaN where
// there are none to count.
func (s *store) measure(ctx context.Context, w *way, window time.Duration) (us, trips float64, err error) {
	// The lock is taken again, and a connection that was idle is looked after.
	if err := w.save(ctx, w.callers[0]); err != nil {
		return 0, 0, err
	}
	saves, before := w.saves.Load(), int64(0)
	if s.trips != nil {
		before = s.trips.Load()
	}
	us, err = w.window(ctx, window)
	trips = math.NaN()
	if s.trips != nil {
		trips = float64(s.trips.Load()-before) / float64(w.saves.Load()-saves)
	}
	return us, trips, err
}
