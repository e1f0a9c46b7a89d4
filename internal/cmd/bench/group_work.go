package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/etcdlock"
)

const (
	groupWindow = 250 * time.Millisecond
	// groupLongWindow is for what takes turns slowly: other locks, and processes.
	groupLongWindow = time.Second
	groupCallers    = 64
	groupRows       = 10
)

// groupCrowds are the numbers of callers, for the plot, too.
func groupCrowds() []int { return []int{1, 4, 16, groupCallers, 256} }

// group measures locked saves that are put together: against the same one by one,
// against GORM without a lock, and against GORM under the locks of others.
func (b *bench) group(ctx context.Context) error {
	var all []groupFigures
	return b.withLocker(ctx, "group", func(l *etcdlock.Locker, dir string) error {
		err := onEach(groupStores(), func(k storeKind) error {
			all = append(all, groupFigures{storeKind: k})
			if k.missing() {
				return nil
			}
			return b.groupOn(ctx, &all[len(all)-1], l, dir)
		})
		if err != nil {
			return err
		}
		others, err := b.groupPeers(ctx, l)
		if err != nil {
			return err
		}
		fleet, err := b.groupFleet(ctx)
		if err != nil {
			return err
		}
		return b.reportGroup(all, others, fleet)
	})
}

// groupStores are those that GORM saves to.
func groupStores() []storeKind {
	return lo.Filter(storeKinds(), func(k storeKind, _ int) bool { return k.transactions })
}

// groupFigures are those of one store.
type groupFigures struct {
	storeKind
	about string
	loads []groupLoadFigures // none where the store was missing
}

// groupLoadFigures have a series for each way.
type groupLoadFigures struct {
	load
	kind string
	got  []series
}

func (b *bench) groupOn(ctx context.Context, f *groupFigures, l *etcdlock.Locker, dir string) (err error) {
	s, err := f.open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore(ctx, s)) }()
	f.about = s.about
	loads, err := groupLoads(ctx, s, l)
	if err != nil {
		return err
	}
	for _, g := range loads {
		f.loads = append(f.loads, groupLoadFigures{load: g.load, kind: g.kind, got: make([]series, len(g.ways))})
	}
	for round := range b.rounds {
		b.say("group: round %d of %d, %s", round+1, b.rounds, f.name)
		for n, g := range loads {
			if err := b.groupRound(ctx, g, groupWayName, round, f.loads[n].got); err != nil {
				return fmt.Errorf("%s: %w", g.title(), err)
			}
		}
	}
	return nil
}

// groupRound adds a figure to the series of each way.
func (b *bench) groupRound(ctx context.Context, g groupLoad, name func(way int) string, round int, got []series) error {
	return each(g.ways, round, func(i int, call groupCall) error {
		if call == nil {
			got[i].add(noSample())
			return nil
		}
		s, err := sampled(ctx, b.window(groupWindow), g.callers, call)
		if err != nil {
			return fmt.Errorf("%s: %w", name(i), err)
		}
		got[i].add(s)
		return nil
	})
}
