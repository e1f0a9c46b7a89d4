package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/samber/lo"
)

// groupSizes are rows of a save, of as many callers as most goals are about.
func groupSizes() []int { return []int{1, groupRows, 100, 1000} }

// plotOf draws a figure of each way over some loads; none where a load was not measured.
func (f groupFigures) plotOf(title, xName string, xs []int, loadOf func(x int) load, figure func(of load, s series) float64) ([]byte, error) {
	lines := lo.Times(lockedTogether+1, func(way int) line {
		return line{strings.ReplaceAll(groupWayName(way), "`", ""), lo.FilterMap(xs, func(x, _ int) (float64, bool) {
			l, ok := f.find(loadOf(x), plainSaves)
			if !ok {
				return 0, false
			}
			return figure(l.load, l.got[way]), true
		})}
	})
	return plot(title+", "+f.name, xName, xs, lines)
}

func (f groupFigures) plotSaves() ([]byte, error) {
	return f.plotOf("Saves of "+strconv.Itoa(groupRows)+" rows a second", "callers", groupCrowds(),
		func(callers int) load { return load{callers, groupRows} },
		func(_ load, s series) float64 { return 1e6 / median(s.micros) })
}

// latencyTable has the p99 over the callers.
func (f groupFigures) latencyTable() (table, error) {
	svg, err := f.plotOf("p99 of a save of "+strconv.Itoa(groupRows)+" rows, ms", "callers", groupCrowds(),
		func(callers int) load { return load{callers, groupRows} },
		func(_ load, s series) float64 { return median(s.p99) })
	return table{
		title: "The p99 of saves put together", how: "The time within which 99 of 100 calls return, with their wait, on " + f.name + "; the figures are in the table above.",
		plotName: "group-p99.svg", plot: svg,
	}, err
}

// sizesTable has rows a second over the rows of a save.
func (f groupFigures) sizesTable() (table, error) {
	rowsOf := func(of load, s series) []float64 {
		return lo.Map(s.micros, func(us float64, _ int) float64 { return 1e6 / us * float64(of.rows) })
	}
	loadOf := func(rows int) load { return load{groupCallers, rows} }
	svg, err := f.plotOf("Rows a second of "+plural(groupCallers, "caller"), "rows a save", groupSizes(), loadOf,
		func(of load, s series) float64 { return median(rowsOf(of, s)) })
	t := table{
		title: "Saves of more rows", how: fmt.Sprintf("Rows a second of %s on %s, by the rows of each save.", plural(groupCallers, "caller"), f.name),
		plotName: "group-rows.svg", plot: svg, head: []string{"rows a save"},
	}
	t.head = append(append(t.head, lo.Times(lockedTogether+1, groupWayName)...), "together, times the best of GORM")
	for _, rows := range groupSizes() {
		l, ok := f.find(loadOf(rows), plainSaves)
		if !ok {
			continue
		}
		row := append([]string{strconv.Itoa(rows)}, lo.Map(l.got, func(s series, _ int) string { return spread(rowsOf(l.load, s)) })...)
		t.rows = append(t.rows, append(row, spreadIn("x", ratios(l.gorm().micros, l.got[lockedTogether].micros))))
	}
	return t, err
}

// fleetTable has the saves over the processes.
func (b *bench) fleetTable(all []fleetFigures) (table, error) {
	perSecond := func(s series) []float64 { return lo.Map(s.micros, func(us float64, _ int) float64 { return 1e6 / us }) }
	t := table{
		title: "Saves of one to eight processes", how: fmt.Sprintf(
			"Saves a second, of all processes together: each process has %s that save %d rows each on PostgreSQL. Windows of %v, of %d processes %v. Median of %s.",
			plural(fleetCallers, "caller"), groupRows, b.window(fleetShortWindow), fleetProcesses, b.window(groupLongWindow), plural(b.rounds, "round")),
		plotName: "group-processes.svg", head: []string{"processes"},
	}
	for _, way := range fleetWays() {
		t.head = append(t.head, groupWayName(way), "p99, ms")
	}
	t.head = append(t.head, "together, times as many")
	for _, f := range all {
		row := []string{strconv.Itoa(f.processes)}
		for _, way := range fleetWays() {
			row = append(row, spread(perSecond(f.got[way])), spread(f.got[way].p99))
		}
		t.rows = append(t.rows, append(row, spreadIn("x", ratios(f.got[gormQuick].micros, f.got[lockedTogether].micros))))
	}
	lines := lo.Map(fleetWays(), func(way, _ int) line {
		return line{strings.ReplaceAll(groupWayName(way), "`", ""), lo.Map(all, func(f fleetFigures, _ int) float64 { return median(perSecond(f.got[way])) })}
	})
	processes := lo.Map(all, func(f fleetFigures, _ int) int { return f.processes })
	var err error
	t.plot, err = plot("Saves of "+strconv.Itoa(groupRows)+" rows a second, of all processes", "processes", processes, lines)
	return t, err
}
