package main

import (
	"fmt"
	"strings"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/internal/cmd/internal/markdown"
)

// theSame stands for what the goal before it is about.
const theSame = "the same"

// goalName tells a goal from all others of one cluster.
type goalName struct{ what, against string }

func (n goalName) String() string {
	if n.against == "" {
		return n.what
	}
	return n.what + ", against " + n.against
}

// names are in the order of the goals.
func (r *report) names() []goalName {
	what := ""
	return lo.Map(r.goals, func(g goal, _ int) goalName {
		if g.what != theSame {
			what = g.what
		}
		return goalName{what, g.against}
	})
}

// glance is a goal that a stranger looks for, in plain words.
type glance struct {
	plain string
	goalName
}

// glances are ten, the first ones on PostgreSQL.
func glances(quick bool) []glance {
	size := config{quick: quick}.scale(bulkSize, 1000)
	onPostgres := func(of load, kind string) string { return lockedOn(of, kind, "PostgreSQL") }
	many, edits := load{groupCallers, groupRows}, "an unlocked read and write in a transaction"
	return []glance{
		{"64 goroutines save 10 rows each, locked and fenced", goalName{onPostgres(many, plainSaves), bestOfGORM}},
		{"256 goroutines save 1 row each", goalName{onPostgres(load{256, 1}, plainSaves), bestOfGORM}},
		{"64 goroutines change 1 row each by `Update`", goalName{onPostgres(load{groupCallers, 1}, groupedEdits), edits}},
		{"1 goroutine saves 1 row, with nobody to wait for", goalName{onPostgres(load{1, 1}, plainSaves), bestOfGORM}},
		{"64 goroutines save 10 rows each, with a hook in Go", goalName{onPostgres(many, hookedSaves), bestOfGORM}},
		{"3 processes of 16 goroutines save 10 rows each", goalName{fleetTitle(fleetProcesses), bestOfGORM}},
		{"64 goroutines save 10 rows each", goalName{lockedTitle(many), redsynced + " and GORM"}},
		{"2 processes hand one lock to and fro", goalName{handoverTitle(2), mutex}},
		{"99 of 100 single saves during an import return within", goalName{what: importSaves}},
		{fmt.Sprintf("one `SaveAll` of %d existing rows, without a lock", size), goalName{bulkTitle(size, "existing", "PostgreSQL"), bulkWayName(bulkBatches)}},
	}
}

// glance is the table and the picture that the report opens with; empty where none of
// it was measured.
func (r *report) glance(quick bool) string {
	names := r.names()
	rows := lo.FilterMap(glances(quick), func(one glance, _ int) ([]string, bool) {
		i := lo.IndexOf(names, one.goalName)
		if i < 0 {
			return nil, false
		}
		row := r.goals[i].row()
		return []string{one.plain, row[1], row[3], row[2], row[4]}, true
	})
	if len(rows) == 0 {
		return ""
	}
	var s strings.Builder
	s.WriteString("## At a glance\n\nSaves go to PostgreSQL. `3x` means three times as much done in the same time.\n\n")
	s.WriteString(markdown.Table([]string{"what", "against", "measured", "wanted", ""}, rows))
	if t, ok := lo.Find(r.tables, func(t table) bool { return t.plotName == groupPlotName }); ok {
		fmt.Fprintf(&s, "\n![%s](%s)\n", t.title, t.plotName)
	}
	return s.String() + "\n"
}
