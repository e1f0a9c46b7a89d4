package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/holdfast-go/holdfast/internal/cmd/internal/markdown"
)

// report is what a run has found.
type report struct {
	facts  [][2]string
	goals  []goal
	tables []table
}

// goal is a figure that must reach something. Either least or most is meant.
type goal struct {
	cluster       string
	what, against string
	unit          string // "x" for a ratio
	least, most   float64
	got           []float64 // one for each round
	why           string    // there is no figure
}

// table is one work with all its figures.
type table struct {
	cluster    string
	title, how string
	head       []string
	rows       [][]string // none where other tables follow that have them
	notes      []string
	plotName   string
	plot       []byte // SVG
}

func (b *bench) goal(g goal) {
	g.cluster = plural(b.members, "member")
	b.report.goals = append(b.report.goals, g)
}

func (b *bench) table(t table) {
	t.cluster = plural(b.members, "member")
	b.report.tables = append(b.report.tables, t)
}

// met judges by the median. A goal without a figure is not met.
func (g goal) met() bool {
	m := median(g.got)
	if g.least > 0 {
		return m >= g.least
	}
	return m <= g.most
}

func (r *report) met() bool {
	for _, g := range r.goals {
		if !g.met() {
			return false
		}
	}
	return true
}

func (g goal) row() []string {
	want := "at least " + number(g.least) + g.unit
	if g.least == 0 {
		want = "at most " + number(g.most) + g.unit
	}
	got, mark := spreadIn(g.unit, g.got), "**missed**"
	switch {
	case len(known(g.got)) == 0 && g.why != "":
		got, mark = g.why, "not measured"
	case g.met():
		mark = "met"
	}
	return []string{g.what, g.against, want, got, mark, g.cluster}
}

// against shows a ratio to etcdlock.
func against(rs []float64) string {
	if m := median(rs); !math.IsNaN(m) {
		return number(m) + "x"
	}
	return unknown
}

// section is where the measured part of the document is.
const section markdown.Section = "bench"

// text is the part of the document that is measured.
func (r *report) text(quick bool) string {
	var s strings.Builder
	if quick {
		s.WriteString("**This was a quick run, a tenth of the size, and no measurement: it shows what is measured, not how fast anything is.**\n\n")
	}
	for _, f := range r.facts {
		fmt.Fprintf(&s, "- %s: %s\n", f[0], f[1])
	}
	s.WriteString("\n" + r.glance(quick) + "## Goals\n\nRatios are of figures of one round, the median of the rounds, with the least and the greatest in brackets.\n\n")
	goals := make([][]string, 0, len(r.goals))
	for _, g := range r.goals {
		goals = append(goals, g.row())
	}
	s.WriteString(markdown.Table([]string{"what", "against", "wanted", "measured", "", "etcd"}, goals))
	s.WriteString(r.missed())
	for _, t := range r.tables {
		fmt.Fprintf(&s, "\n## %s (etcd with %s)\n\n%s\n\n", t.title, t.cluster, t.how)
		if t.plotName != "" {
			fmt.Fprintf(&s, "![%s](%s)\n\n", t.title, t.plotName)
		}
		if len(t.rows) > 0 {
			s.WriteString(markdown.Table(t.head, t.rows))
		}
		if len(t.rows) > 0 && len(t.notes) > 0 {
			s.WriteByte('\n')
		}
		for _, n := range t.notes {
			fmt.Fprintf(&s, "- %s\n", n)
		}
	}
	s.WriteByte('\n')
	return s.String()
}

// write puts the figures into the document, and the plots next to it.
func (r *report) write(d markdown.Document, quick bool) error {
	for _, t := range r.tables {
		if t.plotName == "" {
			continue
		}
		if err := d.WritePicture(t.plotName, t.plot); err != nil {
			return err
		}
	}
	return d.Write(r.text(quick))
}
