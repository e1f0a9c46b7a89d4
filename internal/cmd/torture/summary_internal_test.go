package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func summaryOf(results ...result) summary {
	return summary{seed: 7, results: results, took: time.Minute}
}

var (
	winner = result{fault: "signature", design: holdfast, store: onSQLite, felt: 3, verdict: verdict{Acked: 120, Refused: 2, Saves: saves{Acked: 90, Grouped: 70, Largest: 9}}}
	alone  = result{fault: "signature", design: holdfast, store: onSQLite, felt: 3, verdict: verdict{Acked: 120, Saves: saves{Acked: 90}}}
	loser  = result{fault: "signature", design: mutexFence, store: onSQLite, felt: 3, mustLose: 3, rejected: true, verdict: verdict{Acked: 6, Lost: 3}}
	broken = result{fault: noFault, design: holdfast, store: onMongoDB, felt: 1, verdict: verdict{Acked: 10, Lost: 1}}
)

func TestSummaryText(t *testing.T) {
	s := summaryOf(winner, loser, broken)
	text := s.text()
	for _, want := range []string{
		"| fault | Mutex, fence at write | Holdfast on SQLite | Holdfast on MongoDB stand-in |",
		"| signature | 3 / 6 / 0 (3) | 0 / 120 / 2 (3) |  |",
		"| none |  |  | **1 / 10 / 0 (1)** |",
		"| all | 130 | 1 | 2 |",
		"| SQLite | 90 | 70 | 9 | 0 | 0 | 0 | 0 |",
		"- none, Holdfast on mongodb: Holdfast lost 1",
		"Seed 7,",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
}

func TestSummaryMissed(t *testing.T) {
	for name, c := range map[string]struct {
		s    summary
		want []string
	}{
		"Fine":    {summaryOf(winner, loser), nil},
		"Lost":    {summaryOf(winner, broken), []string{"Holdfast lost 1"}},
		"NoBatch": {summaryOf(alone), []string{"no save was in a batch"}},
		"Nothing": {summaryOf(), []string{"nothing was run"}},
		"TooLittle": {summary{full: true, results: []result{winner}}, []string{
			"120 updates were acknowledged, fewer than 100000", "70 saves in batches were acknowledged, fewer than 100000", "120 updates were acknowledged on sqlite, fewer than 10000", "1 kinds of fault on sqlite, fewer than 15",
		}},
	} {
		got := c.s.missed()
		if len(got) != len(c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], c.want[i]) {
				t.Errorf("%s: got %q, want %q", name, got[i], c.want[i])
			}
		}
	}
}

func TestPicture(t *testing.T) {
	s := summaryOf(winner, loser, broken)
	svg := s.picture()
	for dec := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		_, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
	}
	for _, want := range []string{"0 of 120 lost", "3 of 6 lost", "1 of 10 lost", "MongoDB stand-in"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the picture lacks %q", want)
		}
	}
	for colour, want := range map[string]int{green: 1, red: 2, grey: 3, amber: 0} {
		if n := strings.Count(string(svg), colour); n != want {
			t.Errorf("%d squares are %s, want %d", n, colour, want)
		}
	}
}

func TestDocument(t *testing.T) {
	name := filepath.Join(t.TempDir(), "torture.md")
	doc, err := section.Open(name, "Torture")
	if err != nil {
		t.Fatal(err)
	}
	s := summaryOf(winner)
	if err := s.write(doc); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- measured: begin. Written by `make torture`; do not edit. -->", "<!-- measured: end -->"
	want := "# Torture\n\n" + begin + "\n\n![What each design lost under each fault](torture.svg)\n\n" + s.text() + end + "\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := os.Stat(strings.TrimSuffix(name, ".md") + ".svg"); err != nil {
		t.Error(err)
	}
}

func TestParse(t *testing.T) {
	for _, bad := range [][]string{
		{"-store", "oracle"}, {"-fault", "rain"}, {"-design", "hope"}, {"-short", "-out", "x.md"}, {"-duration", "0s"}, {"rest"},
	} {
		if _, err := parse(bad, io.Discard); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	c, err := parse([]string{"-store", onSQLite, "-seed", "5"}, io.Discard)
	if err != nil || c.seed != 5 || c.store != onSQLite {
		t.Errorf("got %+v, %v", c, err)
	}
}

// Each kind of fault is on every store, or has a reason why it is not, and
// there are enough of them.
func TestFaults(t *testing.T) {
	names := map[string]bool{}
	for _, f := range faults() {
		if names[f.name] || f.felt == "" || f.round == nil || len(f.stores) > 0 && f.why == "" {
			t.Errorf("fault %q: doubled, or lacks what it needs", f.name)
		}
		names[f.name] = true
	}
	for _, s := range allStores {
		n := 0
		for _, f := range faults() {
			if f.name != noFault && f.on(s) {
				n++
			}
		}
		if n < leastFaults {
			t.Errorf("%d kinds of fault on %s, want %d", n, s, leastFaults)
		}
	}
}
