package main

import (
	"strings"
	"testing"

	"github.com/samber/lo"
)

// TestGlancesAreGoals reports everything, without figures.
func TestGlancesAreGoals(t *testing.T) {
	t.Parallel()
	for _, quick := range []bool{false, true} {
		b := &bench{config: config{quick: quick}, report: &report{}, members: 1}
		if err := b.reportGroup(lo.Map(groupStores(), func(k storeKind, _ int) groupFigures { return groupFigures{storeKind: k} }), []groupPeerFigures{
			{}, {groupPeer: b.peersOfGroup()[0]},
		}, nil); err != nil {
			t.Fatal(err)
		}
		b.reportImports(importFigures{})
		b.reportBulk(lo.Map(groupStores(), func(k storeKind, _ int) bulkFigures { return bulkFigures{storeKind: k} }))
		b.goal(goal{what: handoverTitle(2), against: mutex})
		all := glances(quick)
		missing := lo.Without(lo.Map(all, func(g glance, _ int) goalName { return g.goalName }), b.report.names()...)
		if len(all) != 10 || len(missing) > 0 {
			t.Errorf("%d glances, and these are no goals: %v", len(all), missing)
		}
	}
}

func TestReportOpensWithAGlance(t *testing.T) {
	t.Parallel()
	r := &report{
		goals: []goal{
			{what: "else", least: 1, got: []float64{2}},
			{what: importSaves, most: 150, unit: " ms", got: []float64{40}},
		},
		tables: []table{{title: "Saves", plotName: groupPlotName}},
	}
	if got, want := r.glance(false), `## At a glance

Saves go to PostgreSQL. `+"`3x`"+` means three times as much done in the same time.

| what | against | measured | wanted |  |
|---|---|---|---|---|
| 99 of 100 single saves during an import return within |  | 40 ms | at most 150 ms | met |

![Saves](group.svg)

`; got != want {
		t.Errorf("the glance is:\n%s\nwant\n%s", got, want)
	}
	r.goals = r.goals[:1]
	if got := r.glance(false); got != "" {
		t.Errorf("a glance of nothing:\n%s", got)
	}
}

func TestWhatIsMissedHasAReason(t *testing.T) {
	t.Parallel()
	r := &report{goals: []goal{
		{what: "speed", against: "a snail", least: 2, got: []float64{3}},
		{what: theSame, against: "a hare", least: 2, got: []float64{1}},
		{what: "weight", most: 2, got: []float64{3}},
		{what: "weight", most: 2, got: []float64{4}}, // of the next cluster
		{what: "color", least: 2, why: "no light"},
	}}
	want := "\n### What is missed, and why\n\n- speed, against a hare: no reason is known.\n- weight: no reason is known.\n"
	if got := r.missed(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if !strings.Contains(r.text(false), want) {
		t.Error("the report lacks it")
	}
	r.goals = r.goals[:1]
	if got := r.missed(); got != "" {
		t.Errorf("missed: %s", got)
	}
	for name, reason := range missedReasons() {
		if strings.HasSuffix(reason, ".") {
			t.Errorf("the reason for %s ends with a full stop", name)
		}
	}
}
