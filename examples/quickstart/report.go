package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
)

func title(store string) string {
	if store == onMongo {
		return "MongoDB"
	}
	return "SQL database"
}

// kept is how many of the acknowledged operations are in the store.
func (r *round) kept() int { return r.acked - r.lost }

// report prints a table per store and returns errLost when the lock failed.
func report(rounds []*round, out io.Writer) error {
	var failed error
	var t table.Writer
	for i, r := range rounds {
		if i == 0 || rounds[i-1].Store != r.Store {
			t = table.NewWriter()
			t.SetStyle(table.StyleLight)
			t.SetTitle(title(r.Store))
			t.AppendHeader(table.Row{"job", "", "acknowledged", "kept", "lost", "duplicates", "time"})
		}
		t.AppendRow(table.Row{r.Kind, lockWord(r.Locked), r.acked, r.kept(), r.lost, r.duplicates, r.took.Round(1e6)})
		if i == len(rounds)-1 || rounds[i+1].Store != r.Store {
			fmt.Fprintf(out, "\n%s\n", t.Render())
		}
		if r.Locked && r.lost+r.duplicates > 0 {
			failed = errLost
		}
	}
	verdict(rounds, out)
	return failed
}

// verdict says in one sentence what the tables show.
func verdict(rounds []*round, out io.Writer) {
	var plain, locked, acked int
	for _, r := range rounds {
		if r.Locked {
			locked += r.lost
			acked += r.acked
		} else {
			plain += r.lost
		}
	}
	fmt.Fprintf(out, "\nWithout the lock %d acknowledged updates were lost; with it %d of %d.\n", plain, locked, acked)
}

// These are the lines of a page between which writeKept writes.
const (
	tableBegins = "<!-- quickstart: begin. Written by go run ./examples/quickstart --readme README.md -->\n"
	tableEnds   = "<!-- quickstart: end -->\n"
)

// aroundTable returns what a page has before its table and behind it.
func aroundTable(file string) (before, after string, err error) {
	page, err := os.ReadFile(file)
	if err != nil {
		return "", "", err
	}
	before, rest, begins := strings.Cut(string(page), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		return "", "", fmt.Errorf("%s has no lines %q and %q", file, tableBegins, tableEnds)
	}
	return before, after, nil
}

// writeKept replaces the table of a page by one of the stock movements.
func writeKept(file string, rounds []*round) error {
	before, after, err := aroundTable(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(before+tableBegins+keptTable(rounds)+tableEnds+after), 0o600)
}

func keptTable(rounds []*round) string {
	var b strings.Builder
	for _, r := range rounds {
		if r.Kind != stocktaking {
			continue
		}
		if b.Len() == 0 {
			fmt.Fprintf(&b, "| %d updates by %d processes | kept | lost |\n|---|---|---|\n", r.acked, r.workers)
		}
		name := "a plain repository"
		if r.Locked {
			name = "Holdfast"
		}
		fmt.Fprintf(&b, "| %s, %s | %d | %d |\n", title(r.Store), name, r.kept(), r.lost)
	}
	return b.String()
}
