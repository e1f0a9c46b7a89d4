package main

// bestOfGORM is what locked saves are compared with.
const bestOfGORM = "unlocked GORM at its best setting"

// groupGoal wants so many times the saves that GORM gets done, and so much of its
// latency, if it says so.
type groupGoal struct {
	load
	kind       string
	least, p99 float64
	against    string
}

// groupGoalsOf are those of a store.
func groupGoalsOf(k storeKind) []groupGoal {
	many := load{groupCallers, groupRows}
	if k.variable != postgresVariable {
		return []groupGoal{
			{load: load{1, groupRows}, least: 0.8, against: bestOfGORM},
			{load: many, least: 1.5, against: bestOfGORM},
		}
	}
	return []groupGoal{
		{load: many, least: 3, p99: 0.5, against: bestOfGORM},
		{load: load{256, 1}, least: 4, against: bestOfGORM},
		{load: many, kind: hookedSaves, least: 1.8, against: bestOfGORM},
		{load: load{groupCallers, 1}, kind: groupedEdits, least: 1, against: "an unlocked read and write in a transaction"},
		{load: load{groupCallers, 1}, kind: stripedEdits, least: 1.5, against: "an unlocked read and write in a transaction"},
		{load: load{1, 1}, least: 1.4, against: bestOfGORM},
		{load: load{1, groupRows}, least: 1.4, against: bestOfGORM},
	}
}

func lockedTitle(of load) string { return of.String() + ", locked" }

// lockedOn names the locked saves of a store.
func lockedOn(of load, kind, store string) string { return groupTitle(of, kind) + ", locked, " + store }

func (b *bench) groupGoals(f groupFigures) {
	why := f.variable + " was not set"
	for _, want := range groupGoalsOf(f.storeKind) {
		throughput := goal{what: lockedOn(want.load, want.kind, f.name), against: want.against, least: want.least, unit: "x", why: why}
		latency := goal{what: theSame, against: "its p99", most: want.p99, unit: "x", why: why}
		if l, ok := f.find(want.load, want.kind); ok {
			best, ours := l.gorm(), l.got[lockedTogether]
			throughput.got, latency.got = ratios(best.micros, ours.micros), ratios(ours.p99, best.p99)
		}
		b.goal(throughput)
		if want.p99 > 0 {
			b.goal(latency)
		}
	}
	if f.variable != postgresVariable {
		return
	}
	many := load{groupCallers, groupRows}
	b.goalWithin(f, goal{what: lockedOn(many, refusedSaves, f.name), against: "the same with none refused", least: 0.55},
		groupLoadFigures{load: many, kind: refusedSaves}, groupLoadFigures{load: many})
	// What is measured twice differs by some percent.
	most := load{256, groupRows}
	b.goalWithin(f, goal{what: "saves a second of " + lockedOn(most, plainSaves, f.name), against: "the same with " + plural(groupCallers, "caller"), least: 0.9},
		groupLoadFigures{load: most}, groupLoadFigures{load: many})
}

// goalWithin compares two loads of ours.
func (b *bench) goalWithin(f groupFigures, g goal, of, than groupLoadFigures) {
	g.unit, g.why = "x", f.variable+" was not set"
	slow, ok := f.find(of.load, of.kind)
	fast, found := f.find(than.load, than.kind)
	if ok && found {
		g.got = ratios(fast.got[lockedTogether].micros, slow.got[lockedTogether].micros)
	}
	b.goal(g)
}
