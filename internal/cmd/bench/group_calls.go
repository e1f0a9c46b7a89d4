package main

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/samber/lo"
	"golang.org/x/sync/errgroup"
)

// groupCall has one of the callers save its own rows, once.
type groupCall func(ctx context.Context, caller int) error

// call is when a call ended, since the window began, and how long it took. A
// process tells another as JSON.
type call struct{ Ended, Took time.Duration }

// sampled measures one way, warm.
func sampled(ctx context.Context, window time.Duration, callers int, do groupCall) (sample, error) {
	// The lock is taken again, and a connection that was idle is looked after.
	if err := do(ctx, 0); err != nil {
		return noSample(), err
	}
	all, err := callsFor(ctx, window, callers, do)
	return sampleOf(window, callers, all), err
}

// callsFor has all callers call until the window is over. Calls that are on the way
// then are waited for.
func callsFor(ctx context.Context, window time.Duration, callers int, do groupCall) ([]call, error) {
	ctx, cancel := context.WithTimeout(ctx, window+drain)
	defer cancel()
	lists, began := make([][]call, callers), time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for i := range callers {
		g.Go(func() error {
			for {
				asked := time.Since(began)
				if err := do(ctx, i); err != nil {
					return err
				}
				ended := time.Since(began)
				lists[i] = append(lists[i], call{ended, ended - asked})
				if ended >= window {
					return nil
				}
			}
		})
	}
	err := g.Wait()
	return slices.Concat(lists...), err
}

// sample is what one window has found.
type sample struct {
	micros float64 // for each call that ended in the window
	p99    float64 // milliseconds of a call
}

func noSample() sample { return sample{math.NaN(), math.NaN()} }

// sampleOf divides by the calls that ended in the window the time until the last of
// them: calls that are put together end together, and the window may end between two
// such times. Where fewer ended in it than there are callers, it is longer, so that each
// has its turn. A call that ended later is among those that took long.
func sampleOf(window time.Duration, callers int, all []call) sample {
	if len(all) == 0 {
		return noSample()
	}
	ended := slices.Sorted(slices.Values(lo.Map(all, func(c call, _ int) time.Duration { return c.Ended })))
	took := slices.Sorted(slices.Values(lo.Map(all, func(c call, _ int) time.Duration { return c.Took })))
	done := max(min(callers, len(all)), lo.CountBy(ended, func(d time.Duration) bool { return d <= window }))
	slow := took[(len(took)*99+99)/100-1]
	return sample{micros: micros(ended[done-1]) / float64(done), p99: micros(slow) / 1e3}
}

// series has a figure for each round.
type series struct{ micros, p99 []float64 }

func (s *series) add(one sample) {
	s.micros, s.p99 = append(s.micros, one.micros), append(s.p99, one.p99)
}

// faster takes from each round the one of two ways that was faster, with its
// latency.
func faster(a, b series) series {
	var s series
	for i := range a.micros {
		of := a
		if b.micros[i] < a.micros[i] {
			of = b
		}
		s.add(sample{of.micros[i], of.p99[i]})
	}
	return s
}
