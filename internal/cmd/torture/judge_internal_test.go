package main

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func done(name string, k kind, key string, before, after int64) op {
	return op{Name: name, Kind: k, Keys: []string{key}, Outcome: isDone, Old: before, New: after}
}

func so(o op, outcome string) op {
	o.Outcome = outcome
	return o
}

func moved(name, from, to string, amount int64, outcome string) op {
	return op{Name: name, Kind: moving, Keys: []string{from, to}, Amount: amount, Outcome: outcome}
}

func TestJudge(t *testing.T) {
	counter, list := data{Counters: []string{"c"}}, data{Lists: []string{"l"}}
	accounts := data{Accounts: []string{"account0", "account1"}}
	one, two := done("1", counting, "c", 0, 1), done("2", counting, "c", 1, 2)
	a, b := done("a", appending, "l", 0, 0), done("b", appending, "l", 0, 0)
	n := func(id string, n int64) Record { return Record{ID: id, N: n} }
	text := func(s string) Record { return Record{ID: "l", Text: s} }
	for name, c := range map[string]struct {
		data         data
		ops          []op
		final        []Record
		lost, ghosts int64
		fine         bool
	}{
		"EveryIncrementIsThere":      {data: counter, ops: []op{one, two}, final: []Record{n("c", 2)}, fine: true},
		"OneIsMissing":               {data: counter, ops: []op{one, two}, final: []Record{n("c", 1)}, lost: 1},
		"TwoBeganWithOneValue":       {data: counter, ops: []op{one, done("2", counting, "c", 0, 1)}, final: []Record{n("c", 1)}, lost: 1},
		"AnUnknownHidesALoss":        {data: counter, ops: []op{one, done("2", counting, "c", 0, 1), so(two, isUnknown)}, final: []Record{n("c", 2)}, lost: 1},
		"ManyAreOverwritten":         {data: counter, ops: []op{one, two, done("3", counting, "c", 2, 3), done("4", counting, "c", 0, 1)}, final: []Record{n("c", 1)}, lost: 3},
		"TheUnknownHappened":         {data: counter, ops: []op{one, so(two, isUnknown)}, final: []Record{n("c", 2)}, fine: true},
		"TheUnknownDidNot":           {data: counter, ops: []op{one, so(two, isUnknown)}, final: []Record{n("c", 1)}, fine: true},
		"TheRefusedHappened":         {data: counter, ops: []op{one, so(two, isRefused)}, final: []Record{n("c", 2)}, ghosts: 1},
		"ItGrewByTwo":                {data: counter, ops: []op{done("1", counting, "c", 0, 2)}, final: []Record{n("c", 1)}},
		"TheRecordIsGone":            {data: counter, lost: 1},
		"EveryElementIsThere":        {data: list, ops: []op{a, b}, final: []Record{text("a,b,")}, fine: true},
		"AnElementIsGone":            {data: list, ops: []op{a, b}, final: []Record{text("a,")}, lost: 1},
		"AnElementTwice":             {data: list, ops: []op{a, b}, final: []Record{text("a,b,a,")}, ghosts: 1},
		"ARefusedElement":            {data: list, ops: []op{a, so(b, isRefused)}, final: []Record{text("a,b,")}, ghosts: 1},
		"AnUnknownElement":           {data: list, ops: []op{a, so(b, isUnknown)}, final: []Record{text("a,b,")}, fine: true},
		"AnUnknownElementTwice":      {data: list, ops: []op{a, so(b, isUnknown)}, final: []Record{text("a,b,b,")}, ghosts: 1},
		"AnElementOfNobody":          {data: list, ops: []op{a}, final: []Record{text("a,b,")}, ghosts: 1},
		"MoneyMoved":                 {data: accounts, ops: []op{moved("1", "account0", "account1", 5, isDone)}, final: []Record{n("account0", funds-5), n("account1", funds+5)}, fine: true},
		"AMoveIsGone":                {data: accounts, ops: []op{moved("1", "account0", "account1", 5, isDone)}, final: []Record{n("account0", funds), n("account1", funds)}, lost: 2},
		"AMoveIsGoneBesideAnUnknown": {data: accounts, ops: []op{moved("1", "account0", "account1", 5, isDone), moved("2", "account0", "account1", 3, isUnknown)}, final: []Record{n("account0", funds-3), n("account1", funds+3)}, lost: 2},
		"AnUnknownMoveHappened":      {data: accounts, ops: []op{moved("1", "account0", "account1", 5, isUnknown)}, final: []Record{n("account0", funds-5), n("account1", funds+5)}, fine: true},
		"ARefusedMoveHappened":       {data: accounts, ops: []op{moved("1", "account0", "account1", 5, isRefused)}, final: []Record{n("account0", funds-5), n("account1", funds+5)}, ghosts: 2},
		"HalfAMove":                  {data: accounts, ops: []op{moved("1", "account0", "account1", 5, isUnknown)}, final: []Record{n("account0", funds-5), n("account1", funds)}, lost: 1},
	} {
		t.Run(name, func(t *testing.T) {
			final := map[string]Record{}
			for _, r := range c.final {
				final[r.ID] = r
			}
			v := judge(c.ops, c.data, final)
			if v.Lost != c.lost || v.Ghosts != c.ghosts || c.fine != (len(v.Problems) == 0) {
				t.Errorf("lost %d, want %d; ghosts %d, want %d; problems %q", v.Lost, c.lost, v.Ghosts, c.ghosts, v.Problems)
			}
		})
	}
}

func TestJudgeCounts(t *testing.T) {
	c := done("1", counting, "c", 0, 1)
	v := judge([]op{c, so(c, isRefused), so(c, isUnknown), so(c, isUnknown), {Kind: reading, Keys: []string{"r"}, Outcome: isDone}}, data{}, nil)
	if v.Acked != 1 || v.Refused != 1 || v.Unknown != 2 {
		t.Errorf("got %+v: reads are no writes", v)
	}
}

func TestJudgeErrors(t *testing.T) {
	refused := func(kinds ...string) op {
		return op{Kind: counting, Keys: []string{"c"}, Outcome: isRefused, Err: "why", Kinds: kinds}
	}
	for name, c := range map[string]struct {
		op   op
		want int
	}{
		"Usual":       {refused(ofFenced), 0},
		"Explained":   {refused(ofDatabase), 0},
		"OneOfTwo":    {refused(ofNotFound, ofLost), 0},
		"Unexplained": {refused(ofNotFound), 1},
		"Untyped":     {refused(), 1},
		"Killed":      {op{Kind: counting, Outcome: isUnknown, End: math.MaxInt64}, 0},
		"Done":        {op{Kind: counting, Outcome: isDone, Err: "giving back the lock failed"}, 0},
	} {
		var v verdict
		v.judgeErrors([]op{c.op, c.op}, slices.Concat(usual, []string{ofDatabase}))
		if len(v.Problems) != c.want {
			t.Errorf("%s: %q", name, v.Problems)
		}
	}
}

func TestJudgeUnknown(t *testing.T) {
	c := done("1", counting, "c", 0, 1)
	told, failed := so(c, isUnknown), so(c, isUnknown)
	told.Kinds, failed.Kinds = []string{ofUnknown, ofLost}, []string{ofUnknown, ofDatabase}
	for name, c := range map[string]struct {
		ops     []op
		forgets bool
		want    int
	}{
		"Killed":               {[]op{c, so(c, isUnknown)}, false, 0},
		"Told":                 {[]op{c, told, told}, false, 1},
		"ToldByOneThatForgets": {[]op{told}, true, 0},
		"AskingFailed":         {[]op{failed}, true, 1},
	} {
		var v verdict
		v.judgeUnknown(c.ops, c.forgets)
		if len(v.Problems) != c.want {
			t.Errorf("%s: %q", name, v.Problems)
		}
	}
}

// A verdict that fails names the history of the loss.
func TestWrong(t *testing.T) {
	fine := result{design: holdfast, felt: 1, verdict: verdict{Acked: 5, Saves: saves{Acked: 2}}}
	for name, c := range map[string]struct {
		change func(r *result)
		want   string
	}{
		"Fine":    {func(*result) {}, ""},
		"Lost":    {func(r *result) { r.Lost = 2 }, "lost 2"},
		"NotFelt": {func(r *result) { r.felt = 0 }, "not felt"},
		"Idle":    {func(r *result) { r.Acked = 0 }, "nothing was acknowledged"},
		"NoSaves": {func(r *result) { r.Saves.Acked = 0 }, "nothing was acknowledged"},
		"Problem": {func(r *result) { r.Problems = []string{"a key is left"} }, "a key is left"},
		"WeakIsFine": {func(r *result) {
			r.design, r.mustLose, r.Lost, r.rejected, r.Problems = mutex, 3, 3, true, []string{"lost"}
		}, ""},
		"WeakWins":     {func(r *result) { r.design, r.mustLose = mutex, 3 }, "must lose 3"},
		"WeakAccepted": {func(r *result) { r.design, r.mustLose, r.Lost = mutex, 3, 3 }, "porcupine accepts"},
		"WeakUntried":  {func(r *result) { r.design = mutex }, "must lose 0"},
		"WeakLies":     {func(r *result) { r.design, r.mustLose, r.Ghosts = handFenced, 3, 3 }, ""},
		"WeakByHalf":   {func(r *result) { r.design, r.mustLose, r.Lost = mutex, 3, 2 }, "lost 2, and must lose 3"},
	} {
		r := fine
		c.change(&r)
		if got := r.wrong(); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
