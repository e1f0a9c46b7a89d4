package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
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
	return fmt.Sprintf("lost %d of %d, refused %d, unknown %d, felt %d, goes on after %v: %s",
		r.Lost, r.Acked, r.Refused, r.Unknown, r.felt, r.slowest.Round(time.Millisecond), mark)
}

// What a full run must have done to mean something.
const (
	leastAcked   = 100_000 // in all
	leastOnStore = 10_000
	leastFaults  = 15 // on each store
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
	if !s.full {
		return missed
	}
	stores, all := s.totals()
	if all.Acked < leastAcked {
		missed = append(missed, fmt.Sprintf("%d updates were acknowledged, fewer than %d", all.Acked, leastAcked))
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
		}
		stores[r.store] = v
	}
	return stores, all
}

const (
	beginMark = "<!-- measured: begin. Written by `make torture`; do not edit. -->"
	endMark   = "<!-- measured: end -->"
)

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
	writeTable(&b, head, body)
	b.WriteString("\nWhat is counted as felt:\n\n")
	for _, f := range faults() {
		if slices.Contains(rows, f.name) {
			fmt.Fprintf(&b, "- %s: %s\n", f.name, f.felt)
		}
	}
	stores, all := s.totals()
	b.WriteString("\nHoldfast in all cells together:\n\n")
	sums := [][]string{}
	for _, st := range allStores {
		if v, ok := stores[st]; ok {
			sums = append(sums, sumRow(storeTitles[st], v, s.slowest(st)))
		}
	}
	writeTable(&b, []string{"store", "acknowledged", "lost", "refused", "unknown", "refused and there", "longest until work went on"}, append(sums, sumRow("all", all, s.slowest(""))))
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
	row := []string{name}
	for _, n := range []int64{v.Acked, v.Lost, v.Refused, v.Unknown, v.Ghosts} {
		row = append(row, strconv.FormatInt(n, 10))
	}
	return append(row, slowest.Round(10*time.Millisecond).String())
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
	if r.wrong() != "" {
		return "**" + text + "**"
	}
	return text
}

func writeTable(b *strings.Builder, head []string, rows [][]string) {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, row := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
}

// document is a file with a place for the table.
type document struct{ name, head, tail string }

// openDocument reads the file. One that is not there will be made.
func openDocument(name string) (document, error) {
	text, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err := os.Stat(filepath.Dir(name))
		return document{name, "# Torture\n\n", "\n"}, err
	case err != nil:
		return document{}, err
	}
	head, rest, found := strings.Cut(string(text), beginMark)
	_, tail, ended := strings.Cut(rest, endMark)
	if !found || !ended {
		return document{}, fmt.Errorf("%s has no place for the table: it lacks the line %q or %q", name, beginMark, endMark)
	}
	return document{name, head, tail}, nil
}

// write puts the table into the document, and the picture beside it.
func (s *summary) write(d document) error {
	picture := strings.TrimSuffix(filepath.Base(d.name), filepath.Ext(d.name)) + ".svg"
	if err := os.WriteFile(filepath.Join(filepath.Dir(d.name), picture), s.picture(), 0o644); err != nil { //nolint:gosec // a picture in a document
		return err
	}
	text := fmt.Sprintf("%s%s\n\n![What each design lost under each fault](%s)\n\n%s%s%s", d.head, beginMark, picture, s.text(), endMark, d.tail)
	return os.WriteFile(d.name, []byte(text), 0o644) //nolint:gosec // a document
}
