package main

import (
	"fmt"
	"strings"

	"github.com/samber/lo"
)

// groupPlotName is the picture that the report opens with.
const groupPlotName = "group.svg"

func (b *bench) reportGroup(all []groupFigures, others []groupPeerFigures, fleet []fleetFigures) error {
	t := table{title: "Saves put together", how: fmt.Sprintf(
		"Existing rows of one type are saved for %v, by every caller its own, and all callers are goroutines of one process. *GORM* is "+
			"`Clauses(OnConflict{UpdateAll: true}).Create` without a lock, with its defaults and with `SkipDefaultTransaction`; the *best of GORM* is in each "+
			"round the faster of the two. *Locked* is a `lockedrepo` with its fence, all callers by one key: one save at a time (`Options.Separate`), or "+
			"those that wait put together, which is the default. A save of one row is `Save`, one of more rows `SaveAll`. Shown are the microseconds "+
			"for each save: the time until the last save that ended in the window, divided by those that had ended by then, of all callers together, of each at least one; below it the 99th percentile of the time that a call took, "+
			"with its wait. With *1 %% refused*, one call of a hundred has a row that breaks a `CHECK`. *Update* is `Update` of `lockedrepo`, and with GORM a transaction "+
			"that reads the row, for update where there is such a thing, and writes it. Median of %s, the ways to save in turns within each, least and "+
			"greatest in brackets; ratios are of figures of one round.",
		b.window(groupWindow), plural(b.rounds, "round"))}
	for _, f := range all {
		if len(f.loads) == 0 {
			t.notes = append(t.notes, f.name+": not measured, "+f.variable+" was not set")
			continue
		}
		if f.variable != postgresVariable {
			continue
		}
		svg, err := f.plotSaves()
		if err != nil {
			return err
		}
		t.plotName, t.plot = groupPlotName, svg
	}
	b.table(t)
	for _, f := range all {
		b.groupGoals(f)
		if len(f.loads) == 0 {
			continue
		}
		b.table(f.table())
		if f.variable != postgresVariable {
			continue
		}
		latency, err := f.latencyTable()
		if err != nil {
			return err
		}
		sizes, err := f.sizesTable()
		if err != nil {
			return err
		}
		b.table(latency)
		b.table(sizes)
	}
	b.reportGroupPeers(others)
	return b.reportGroupFleet(fleet)
}

// table has two lines for each load, with a column for each way.
func (f groupFigures) table() table {
	t := table{title: "Saves put together on " + f.name, how: strings.ToUpper(f.about[:1]) + f.about[1:] + ".", head: []string{"µs for each save"}}
	for i := range lockedTogether + 1 {
		t.head = append(t.head, groupWayName(i))
	}
	t.head = append(t.head, "together, times the best of GORM")
	for _, l := range f.loads {
		name, p99 := []string{"**" + groupTitle(l.load, l.kind) + "**"}, []string{"p99, ms"}
		for _, s := range l.got {
			name, p99 = append(name, spread(s.micros)), append(p99, spread(s.p99))
		}
		best, ours := l.gorm(), l.got[lockedTogether]
		t.rows = append(t.rows,
			append(name, spreadIn("x", ratios(best.micros, ours.micros))),
			append(p99, spreadIn("x", ratios(ours.p99, best.p99))))
	}
	t.notes = append(t.notes, "In the last column the first figure is throughput, where more is better, and the one below it the p99, where less is better.")
	return t
}

// gorm is GORM at its best setting.
func (l groupLoadFigures) gorm() series { return faster(l.got[gormDefault], l.got[gormQuick]) }

// find returns the figures of a load; none where the store was missing.
func (f groupFigures) find(of load, kind string) (groupLoadFigures, bool) {
	return lo.Find(f.loads, func(l groupLoadFigures) bool { return l.load == of && l.kind == kind })
}

// reportGroupPeers shows ours first.
func (b *bench) reportGroupPeers(all []groupPeerFigures) {
	t := table{title: "Saves under the locks of others", how: fmt.Sprintf(
		"%d callers of one process save %d rows each on PostgreSQL for %v, all under one lock; GORM with `SkipDefaultTransaction`. "+
			"Figures as above. Median of %s.", groupCallers, groupRows, b.window(groupLongWindow), plural(b.rounds, "round"))}
	t.head = []string{"", "µs for each save", "p99, ms", "ours, times as many"}
	ours := all[0]
	for i, p := range all {
		t.rows = append(t.rows, []string{p.name, spread(p.got.micros), spread(p.got.p99), spreadIn("x", ratios(p.got.micros, ours.got.micros))})
		t.notes = append(t.notes, p.name+": "+p.usage)
		if p.missing != "" {
			t.notes[i] += "; not measured, " + p.missing
		}
		if i > 0 {
			b.goal(goal{
				what: lockedTitle(load{groupCallers, groupRows}), against: p.name,
				least: p.least, unit: "x", got: ratios(p.got.micros, ours.got.micros), why: p.missing,
			})
		}
	}
	b.table(t)
}

func fleetTitle(processes int) string {
	return fmt.Sprintf("%d processes of %s", processes, lockedTitle(load{fleetCallers, groupRows}))
}

// reportGroupFleet says nothing where there are no figures, but for the goals.
func (b *bench) reportGroupFleet(all []fleetFigures) error {
	throughput := goal{what: fleetTitle(fleetProcesses), against: bestOfGORM, least: 2, unit: "x"}
	latency := goal{what: theSame, against: "its p99", most: 1.2, unit: "x"}
	few, ok := lo.Find(all, func(f fleetFigures) bool { return f.processes == fleetProcesses })
	if !ok {
		throughput.why = postgresVariable + " was not set"
		latency.why = throughput.why
		b.goal(throughput)
		b.goal(latency)
		return nil
	}
	got := few.got
	best, ours := faster(got[gormDefault], got[gormQuick]), got[lockedTogether]
	throughput.got, latency.got = ratios(best.micros, ours.micros), ratios(ours.p99, best.p99)
	b.goal(throughput)
	b.goal(latency)
	t := table{title: "Saves of several processes", how: fmt.Sprintf(
		"%d processes of %s save %d rows each on PostgreSQL for %v, all by one key. Figures as above, of all processes together. Median of %s.",
		fleetProcesses, plural(fleetCallers, "caller"), groupRows, b.window(groupLongWindow), plural(b.rounds, "round"))}
	t.head = []string{"", "µs for each save", "p99, ms", "saves, times the best of GORM"}
	for way, s := range got {
		t.rows = append(t.rows, []string{groupWayName(way), spread(s.micros), spread(s.p99), spreadIn("x", ratios(best.micros, s.micros))})
	}
	b.table(t)
	more, err := b.fleetTable(all)
	b.table(more)
	return err
}
