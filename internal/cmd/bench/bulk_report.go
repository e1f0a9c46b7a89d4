package main

import (
	"fmt"
	"strings"

	"github.com/samber/lo"
)

func (b *bench) reportBulk(all []bulkFigures) {
	size := b.scale(bulkSize, 1000)
	t := table{title: "Many rows at once", how: fmt.Sprintf(
		"%d rows of eight columns are saved by one call, without a lock: rows that exist, all changed, and rows that are new, with keys that the caller gives. "+
			"`CreateInBatches` has `Clauses(OnConflict{UpdateAll: true})`. The loop gets a tenth of the rows, and its figures are multiplied by ten. "+
			"The statement by hand, on PostgreSQL, is one `INSERT ... SELECT unnest ... ON CONFLICT` with a list for each column, through `database/sql`. "+
			"*Merge* is of %d JSON documents with all members of existing rows; one of %d changes something. By hand, the rows are loaded by one query, and the loop saves "+
			"all of them, in one transaction; the last line saves only those that changed. Shown are the milliseconds for each call, and the bytes that it allocates in this process. "+
			"Median of %s, the ways in turns within each, least and greatest in brackets; ratios are of figures of one round.",
		size, size, mergeOne, plural(b.rounds, "round"))}
	for _, f := range all {
		if len(f.existing) == 0 {
			t.notes = append(t.notes, f.name+": not measured, "+f.variable+" was not set")
		}
		if f.variable == postgresVariable {
			b.bulkGoals(f, size)
		}
	}
	b.table(t)
	for _, f := range all {
		if len(f.existing) > 0 {
			b.table(f.table())
		}
		if len(f.memory) > 0 {
			b.table(b.memoryTable(f.memory))
		}
	}
}

// table has a line for each way and what it saves.
func (f bulkFigures) table() table {
	t := table{
		title: "Many rows at once on " + f.name, how: strings.ToUpper(f.about[:1]) + f.about[1:] + ".",
		head: []string{"", "ms", "MiB allocated", "ours, times as fast", "ours, times the bytes"},
	}
	add := func(what string, all []bulkCosts, name func(int) string) {
		for i, c := range all {
			if len(c.millis) == 0 {
				continue
			}
			t.rows = append(t.rows, []string{
				what + name(i), spread(c.millis), number(median(c.bytes) / (1 << 20)),
				spreadIn("x", ratios(c.millis, all[0].millis)), spreadIn("x", ratios(all[0].bytes, c.bytes)),
			})
		}
	}
	add("existing rows, ", f.existing, bulkWayName)
	add("new rows, ", f.fresh, bulkWayName)
	add("documents, ", f.merge, mergeWayName)
	return t
}

func (b *bench) memoryTable(peaks []float64) table {
	return table{
		title: "Memory of a large `SmartSave`", how: fmt.Sprintf(
			"`SmartSave` merges %d documents into existing rows on PostgreSQL, and all of them change something. Shown is the peak of the live heap above what "+
				"there was before the call, in which the documents are, divided by the bytes of the documents. Garbage is collected all the time for it. Measured once.",
			b.scale(memoryDocuments, 1000)),
		head: []string{"", "peak, times the documents"},
		rows: lo.Map(memoryWays(), func(way string, i int) []string { return []string{way, number(peaks[i]) + "x"} }),
	}
}

func bulkTitle(size int, kind, store string) string {
	return fmt.Sprintf("`SaveAll` of %d %s rows, %s", size, kind, store)
}

// bulkGoals are those on PostgreSQL.
func (b *bench) bulkGoals(f bulkFigures, size int) {
	why := f.variable + " was not set"
	want := func(g goal, all []bulkCosts, of, than int, figures func(bulkCosts) []float64) {
		if g.unit, g.why = "x", why; len(all) > 0 {
			g.got = ratios(figures(all[of]), figures(all[than]))
		}
		b.goal(g)
	}
	millis, bytes := func(c bulkCosts) []float64 { return c.millis }, func(c bulkCosts) []float64 { return c.bytes }
	for i, all := range [][]bulkCosts{f.existing, f.fresh} {
		what := bulkTitle(size, []string{"existing", "new"}[i], f.name)
		want(goal{what: what, against: bulkWayName(bulkBatches), least: 1.5}, all, bulkBatches, bulkSaveAll, millis)
		want(goal{what: what, against: bulkWayName(bulkLoop), least: 10}, all, bulkLoop, bulkSaveAll, millis)
		want(goal{what: what, against: bulkWayName(bulkByHand), least: 0.9}, all, bulkByHand, bulkSaveAll, millis)
		want(goal{what: what, against: "the bytes that " + bulkWayName(bulkBatches) + " allocates", most: 0.5}, all, bulkSaveAll, bulkBatches, bytes)
	}
	want(goal{what: fmt.Sprintf("`SmartSave`, Merge of %d documents, 1 of %d changed, %s", size, mergeOne, f.name), against: mergeWayName(mergeLoop), least: 10},
		f.merge, mergeLoop, mergeSmart, millis)
	for i, way := range memoryWays() {
		g := goal{what: fmt.Sprintf("live heap of `SmartSave` of %d documents, %s", b.scale(memoryDocuments, 1000), way), against: "bytes of the documents", most: 2, unit: "x", why: why}
		if len(f.memory) > 0 {
			g.got = f.memory[i : i+1]
		}
		b.goal(g)
	}
}
