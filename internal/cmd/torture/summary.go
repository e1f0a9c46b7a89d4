package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/internal/cmd/internal/markdown"
)

// summary is what a run has found.
type summary struct {
	seed    uint64
	full    bool // nothing was left to other runs
	results []result
	left    []string
	took    time.Duration
}

// line tells of one cell in one line.
func (r *result) line() string {
	mark := "ok"
	if why := r.wrong(); why != "" {
		mark = "FAILED: " + why
	} else if r.design != holdfast {
		mark = "ok, loses"
	}
	return fmt.Sprintf("lost %d of %d and %d saves (%d in batches), refused %d and %d, unknown %d and %d, felt %d, goes on after %v, took %v: %s",
		r.Lost, r.Acked, r.Saves.Acked, r.Saves.Grouped, r.Refused, r.Saves.Refused, r.Unknown, r.Saves.Unknown, r.felt, r.slowest.Round(time.Millisecond), r.took.Round(100*time.Millisecond), mark)
}

// What a full run must have done to mean something.
const (
	leastAcked   = 100_000 // in all
	leastOnStore = 10_000
	leastFaults  = 15 // on each store
	leastGrouped = 100_000
)

// missed tells what is wrong with the run as a whole.
func (s *summary) missed() []string {
	var missed []string
	for i := range s.results {
		if why := s.results[i].wrong(); why != "" {
			missed = append(missed, fmt.Sprintf("%s, %s on %s: %s", s.results[i].fault, s.results[i].design, s.results[i].store, why))
		}
	}
	if len(s.results) == 0 {
		missed = append(missed, "nothing was run")
	}
	stores, all := s.totals()
	if all.Acked > 0 && all.Saves.Grouped == 0 {
		missed = append(missed, "no save was in a batch")
	}
	if !s.full {
		return missed
	}
	if all.Acked < leastAcked {
		missed = append(missed, fmt.Sprintf("%d updates were acknowledged, fewer than %d", all.Acked, leastAcked))
	}
	if n := all.Saves.Grouped; n < leastGrouped {
		missed = append(missed, fmt.Sprintf("%d saves in batches were acknowledged, fewer than %d", n, leastGrouped))
	}
	for _, name := range slices.Sorted(maps.Keys(stores)) {
		if n := stores[name].Acked; n < leastOnStore {
			missed = append(missed, fmt.Sprintf("%d updates were acknowledged on %s, fewer than %d", n, name, leastOnStore))
		}
		felt := 0
		for _, r := range s.results {
			if r.design == holdfast && r.store == name && r.fault != noFault {
				felt++
			}
		}
		if felt < leastFaults {
			missed = append(missed, fmt.Sprintf("%d kinds of fault on %s, fewer than %d", felt, name, leastFaults))
		}
	}
	return missed
}

// column is a design, and for Holdfast a store.
type column struct{ design, store string }

func (c column) title() string {
	if c.design == holdfast {
		return holdfast + " on " + storeTitles[c.store]
	}
	return c.design
}

var storeTitles = map[string]string{onPostgres: "PostgreSQL", onMariaDB: "MariaDB", onSQLite: "SQLite", onMongoDB: "MongoDB stand-in"} //nolint:gochecknoglobals // a table, never written to

// table arranges the results: a row for each fault, a column for each design.
func (s *summary) table() (columns []column, rows []string, cells map[string]map[column]*result) {
	cells = map[string]map[column]*result{}
	seen := map[column]bool{}
	for i := range s.results {
		r := &s.results[i]
		c := column{design: r.design}
		if r.design == holdfast {
			c.store = r.store
		}
		if cells[r.fault] == nil {
			cells[r.fault] = map[column]*result{}
			rows = append(rows, r.fault)
		}
		cells[r.fault][c] = r
		seen[c] = true
	}
	for _, d := range allDesigns {
		for _, st := range append([]string{""}, allStores...) {
			if c := (column{d, st}); seen[c] {
				columns = append(columns, c)
			}
		}
	}
	return columns, rows, cells
}

// totals are the sums of Holdfast, of each store and of all.
func (s *summary) totals() (stores map[string]verdict, all verdict) {
	stores = map[string]verdict{}
	for _, r := range s.results {
		if r.design != holdfast {
			continue
		}
		v := stores[r.store]
		for _, sum := range []*verdict{&v, &all} {
			sum.Acked += r.Acked
			sum.Lost += r.Lost
			sum.Refused += r.Refused
			sum.Unknown += r.Unknown
			sum.Ghosts += r.Ghosts
			sum.Saves.add(r.Saves)
		}
		stores[r.store] = v
	}
	return stores, all
}

// section is where the table is in its document.
const section markdown.Section = "torture"

// text is the table for people and for Markdown.
func (s *summary) text() string {
	var b strings.Builder
	columns, rows, cells := s.table()
	fmt.Fprintf(&b, "Each cell is lost / acknowledged / refused, and how often the fault was felt. Seed %d, %v.\n\n", s.seed, s.took.Round(time.Second))
	head := []string{"fault"}
	for _, c := range columns {
		head = append(head, c.title())
	}
	body := make([][]string, 0, len(rows))
	for _, f := range rows {
		row := []string{f}
		for _, c := range columns {
			row = append(row, cellText(cells[f][c]))
		}
		body = append(body, row)
	}
	b.WriteString(markdown.Table(head, body))
	b.WriteString("\nWhat is counted as felt:\n\n")
	for _, f := range faults() {
		if slices.Contains(rows, f.name) {
			fmt.Fprintf(&b, "- %s: %s\n", f.name, f.felt)
		}
	}
	stores, all := s.totals()
	b.WriteString("\nHoldfast in all cells together:\n\n")
	sums, saves := [][]string{}, [][]string{}
	for _, st := range allStores {
		if v, ok := stores[st]; ok {
			sums = append(sums, sumRow(storeTitles[st], v, s.slowest(st)))
			saves = append(saves, saveRow(storeTitles[st], v.Saves))
		}
	}
	sums = append(sums, sumRow("all", all, s.slowest("")))
	saves = append(saves, saveRow("all", all.Saves))
	b.WriteString(markdown.Table([]string{"store", "acknowledged", "lost", "refused", "unknown", "refused and there", "longest until work went on"}, sums))
	b.WriteString("\nAnd its calls of Save and SaveAll of what was not read:\n\n")
	b.WriteString(markdown.Table([]string{"store", "acknowledged", "in batches", "largest batch", "lost", "doubled, in part, or refused and there", "refused", "unknown"}, saves))
	if len(s.left) > 0 {
		b.WriteString("\nLeft out:\n\n")
		for _, l := range s.left {
			fmt.Fprintf(&b, "- %s\n", l)
		}
	}
	if missed := s.missed(); len(missed) > 0 {
		b.WriteString("\nWrong:\n\n")
		for _, m := range missed {
			first, _, _ := strings.Cut(m, "\n")
			fmt.Fprintf(&b, "- %s\n", first)
		}
	}
	b.WriteString("\n")
	return b.String()
}

func sumRow(name string, v verdict, slowest time.Duration) []string {
	row := rowOf(name, v.Acked, v.Lost, v.Refused, v.Unknown, v.Ghosts-v.Saves.Wrong)
	return append(row, slowest.Round(10*time.Millisecond).String())
}

func saveRow(name string, s saves) []string {
	return rowOf(name, s.Acked, s.Grouped, s.Largest, s.Lost, s.Wrong, s.Refused, s.Unknown)
}

func rowOf(name string, numbers ...int64) []string {
	row := []string{name}
	for _, n := range numbers {
		row = append(row, strconv.FormatInt(n, 10))
	}
	return row
}

// slowest is the longest time until work went on, on one store or all.
func (s *summary) slowest(store string) time.Duration {
	var d time.Duration
	for _, r := range s.results {
		if r.design == holdfast && (store == "" || r.store == store) {
			d = max(d, r.slowest)
		}
	}
	return d
}

func cellText(r *result) string {
	if r == nil {
		return ""
	}
	text := fmt.Sprintf("%d / %d / %d (%d)", r.Lost, r.Acked, r.Refused, r.felt)
	if r.Ghosts > 0 {
		text += fmt.Sprintf(", %d refused and there", r.Ghosts)
	}
	if r.wrong() != "" {
		return "**" + text + "**"
	}
	return text
}

// write puts the table into the document, and the drawing next to it.
func (s *summary) write(d markdown.Document) error {
	picture := strings.TrimSuffix(filepath.Base(d.Name), filepath.Ext(d.Name)) + ".svg"
	if err := d.WritePicture(picture, s.picture()); err != nil {
		return err
	}
	return d.Write(fmt.Sprintf("![What each design lost under each fault](%s)\n\n%s", picture, s.text()))
}
