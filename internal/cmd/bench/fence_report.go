package main

import (
	"fmt"
	"strings"
)

// comparison is of two ways, one with the fence.
type comparison struct {
	name          string
	with, without int
}

// comparisons are those that a store with so many ways has.
func comparisons(ways int) []comparison {
	all := []comparison{
		{"unlocked", fencedSave, plainSave},
		{"locked", lockedFencedSave, lockedSave},
		{"in a transaction", fencedTx, plainTx},
	}
	if ways <= fencedTx {
		return all[:2]
	}
	return all
}

func (b *bench) reportFence(all []fenceFigures) error {
	t := table{title: "What the fence costs", how: fmt.Sprintf(
		"Existing rows are saved for %v, by every caller its own. Shown are the microseconds for each save: the window divided by the saves in it, of "+
			"all callers together. *Locked* is through `lockedrepo`, all callers by one key and with `Options.Separate`, so that one saves at a time, while *unlocked* ones save at "+
			"the same time. *By hand* is a fence in the context of the call, without a lock: each caller has one of its own, since under one claim "+
			"transactions go one after the other. Round trips are counted on the connections to the database, of one caller. Median of %s, "+
			"the ways to save in turns within each, least and greatest in brackets; ratios and differences are of figures of one round.",
		b.window(fenceWindow), plural(b.rounds, "round"))}
	svg, err := fencePlot(all)
	if err != nil {
		return err
	}
	t.plotName, t.plot = "fence.svg", svg
	for _, f := range all {
		if len(f.loads) == 0 {
			t.notes = append(t.notes, f.name+": not measured, "+f.variable+" was not set")
		}
	}
	b.table(t)
	for _, f := range all {
		b.fenceGoals(f)
		if len(f.loads) > 0 {
			b.table(f.table())
		}
	}
	return nil
}

// fenceGoals are about round trips, which do not depend on the machine.
func (b *bench) fenceGoals(f fenceFigures) {
	if !f.trips {
		return
	}
	want := func(what string, most float64, c comparison) {
		g := goal{what: what + ", " + f.name, against: "round trips more than without", most: most}
		if len(f.loads) == 0 {
			g.why = f.variable + " was not set"
		} else {
			g.got = differences(f.loads[0].trips[c.with], f.loads[0].trips[c.without])
		}
		b.goal(g)
	}
	all := comparisons(fencedTx + 1)
	want("a save under a fence", f.more, all[0])
	want("a locked save with its fence", f.more, all[1])
	if f.transactions {
		want("a transaction with a save under a fence", 1, all[2])
	}
}

// differences are round by round, as ratios are.
func differences(of, than []float64) []float64 {
	ds := make([]float64, min(len(of), len(than)))
	for i := range ds {
		ds[i] = of[i] - than[i]
	}
	return ds
}

// table has a line for each way and one for each comparison.
func (f fenceFigures) table() table {
	t := table{title: "The fence on " + f.name, how: strings.ToUpper(f.about[:1]) + f.about[1:] + ".", head: []string{"µs for each save"}}
	for _, l := range f.loads {
		t.head = append(t.head, l.String())
	}
	counted := f.counted()
	for _, l := range counted {
		t.head = append(t.head, f.unit+", "+plural(l.rows, "row"))
	}
	for i, name := range f.loads[0].ways {
		row := []string{name}
		for _, l := range f.loads {
			row = append(row, spread(l.micros[i]))
		}
		for _, l := range counted {
			row = append(row, number(median(l.trips[i])))
		}
		t.rows = append(t.rows, row)
	}
	for _, c := range comparisons(len(f.loads[0].ways)) {
		row := []string{"**with the fence, " + c.name + "**"}
		for _, l := range f.loads {
			row = append(row, spreadIn("x", ratios(l.micros[c.with], l.micros[c.without])))
		}
		for _, l := range counted {
			row = append(row, signed(median(differences(l.trips[c.with], l.trips[c.without]))))
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// counted are the loads whose round trips are shown.
func (f fenceFigures) counted() []loadFigures {
	var some []loadFigures
	for _, l := range f.loads {
		if f.trips && l.callers == 1 {
			some = append(some, l)
		}
	}
	return some
}

// signed shows a difference.
func signed(x float64) string {
	if x >= 0 {
		return "+" + number(x)
	}
	return number(x)
}

// fencePlot draws what every store adds to a locked save of one row.
func fencePlot(all []fenceFigures) ([]byte, error) {
	var names []string
	var got []float64
	for _, f := range all {
		if len(f.loads) == 0 {
			continue
		}
		for _, l := range f.loads[:2] {
			names = append(names, f.name+", "+plural(l.callers, "caller"))
			got = append(got, median(ratios(l.micros[lockedFencedSave], l.micros[lockedSave])))
		}
	}
	return bars("Time of a locked save of one row with the fence, against one without", names, got)
}
