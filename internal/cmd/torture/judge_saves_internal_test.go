package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/samber/lo"
)

func save(name, outcome string, rows ...string) op {
	return op{Name: name, Kind: saving, Keys: rows, Outcome: outcome, Start: valueOf(name)}
}

func enter(name, outcome string, keys []int64, rows ...string) op {
	return op{Name: name, Kind: entering, Keys: rows, Outcome: outcome, IDs: keys}
}

// by is a record as an operation gives it.
func by(name, id string) Record { return Record{ID: id, N: valueOf(name), Text: textOf(name)} }

func entry(name string, key int64, row string) Entry {
	return Entry{ID: key, Name: row, N: valueOf(name), Hooks: 1}
}

func twice(e Entry) Entry {
	e.Hooks++
	return e
}

func names(o op, rows ...int) op {
	o.Named = rows
	return o
}

func TestJudgeSaves(t *testing.T) {
	t.Parallel()
	const first, second, third = "w0.0.1", "w0.0.2", "w0.0.3"
	const a, b, own = savedPrefix + "a", savedPrefix + "b", ownPrefix + "c"
	for name, c := range map[string]struct {
		ops         []op
		records     []Record
		entries     []Entry
		partly      bool
		lost, wrong int64
	}{
		"AllAreThere":          {ops: []op{save(first, isDone, own, a, b)}, records: []Record{by(first, own), by(first, a), by(first, b)}},
		"OneOfAListIsGone":     {ops: []op{save(first, isDone, a, b)}, records: []Record{by(first, a)}, lost: 1},
		"AllAreGone":           {ops: []op{save(first, isDone, a, b)}, lost: 1},
		"RefusedAndThere":      {ops: []op{save(first, isRefused, a)}, records: []Record{by(first, a)}, wrong: 1},
		"RefusedAndPartThere":  {ops: []op{save(first, isRefused, a, b)}, records: []Record{by(first, b)}, wrong: 1},
		"RefusedAndNotThere":   {ops: []op{save(first, isRefused, a, b)}},
		"UnknownAndThere":      {ops: []op{save(first, isUnknown, a, b)}, records: []Record{by(first, a), by(first, b)}},
		"UnknownAndNotThere":   {ops: []op{save(first, isUnknown, a, b)}},
		"UnknownAndHalfThere":  {ops: []op{save(first, isUnknown, a, b)}, records: []Record{by(first, a)}, wrong: 1},
		"AsANeighbourGaveIt":   {ops: []op{save(first, isDone, a), save(second, isDone, b)}, records: []Record{by(first, a), by(first, b)}, wrong: 1},
		"OfNobody":             {records: []Record{by(first, a)}, wrong: 1},
		"OfTheLoad":            {records: []Record{{ID: "counter0", N: 7}}},
		"OwnAsTheLast":         {ops: []op{save(first, isDone, own), save(second, isDone, own)}, records: []Record{by(second, own)}},
		"OwnAsTheOneBefore":    {ops: []op{save(first, isDone, own), save(second, isDone, own)}, records: []Record{by(first, own)}, lost: 1},
		"OwnIsGone":            {ops: []op{save(first, isDone, own)}, lost: 1},
		"OwnAsAnUnknown":       {ops: []op{save(first, isDone, own), save(second, isUnknown, own)}, records: []Record{by(second, own)}},
		"OwnBeforeAnUnknown":   {ops: []op{save(first, isDone, own), save(second, isUnknown, own)}, records: []Record{by(first, own)}},
		"OwnAsAnEarlyUnknown":  {ops: []op{save(first, isUnknown, own), save(second, isDone, own)}, records: []Record{by(first, own)}, lost: 1},
		"OwnAsARefused":        {ops: []op{save(first, isDone, own), save(second, isRefused, own)}, records: []Record{by(second, own)}, wrong: 1},
		"OwnAsNobodyGaveIt":    {ops: []op{save(first, isDone, own)}, records: []Record{{ID: own, N: 5, Text: textOf(first)}}, wrong: 1},
		"OwnOfAnUnknownList":   {ops: []op{save(first, isDone, own), save(second, isUnknown, own, a)}, records: []Record{by(second, own), by(second, a)}},
		"OwnWithoutItsList":    {ops: []op{save(first, isDone, own), save(second, isUnknown, own, a)}, records: []Record{by(second, own)}, wrong: 1},
		"ListWithoutOwn":       {ops: []op{save(first, isDone, own), save(second, isUnknown, own, a)}, records: []Record{by(first, own), by(second, a)}, lost: 1},
		"OwnAfterAList":        {ops: []op{save(first, isUnknown, own, a), save(second, isDone, own)}, records: []Record{by(second, own), by(first, a)}},
		"Entered":              {ops: []op{enter(first, isDone, []int64{7, 8}, a, b)}, entries: []Entry{entry(first, 7, a), entry(first, 8, b)}},
		"EnteredTwice":         {ops: []op{enter(first, isUnknown, nil, a)}, entries: []Entry{entry(first, 7, a), entry(first, 8, a)}, wrong: 1},
		"EnteredTwiceAndTold":  {ops: []op{enter(first, isDone, []int64{7}, a)}, entries: []Entry{entry(first, 7, a), entry(first, 8, a)}, wrong: 2},
		"KeysAreExchanged":     {ops: []op{enter(first, isDone, []int64{8, 7}, a, b)}, entries: []Entry{entry(first, 7, a), entry(first, 8, b)}, wrong: 2},
		"NoKeyIsTold":          {ops: []op{enter(first, isDone, nil, a)}, entries: []Entry{entry(first, 7, a)}, wrong: 1},
		"HookTwice":            {ops: []op{enter(first, isDone, []int64{7}, a)}, entries: []Entry{twice(entry(first, 7, a))}, wrong: 1},
		"EntryIsGone":          {ops: []op{enter(first, isDone, []int64{7, 8}, a, b)}, entries: []Entry{entry(first, 7, a)}, lost: 1},
		"EntryRefusedAndThere": {ops: []op{enter(first, isRefused, nil, a)}, entries: []Entry{entry(first, 7, a)}, wrong: 1},
		"EntryOfNobody":        {entries: []Entry{entry(first, 7, a)}, wrong: 1},
		"TheFirstEntry":        {entries: []Entry{{ID: 1, Name: taken}}},
		"PartOfAList":          {partly: true, ops: []op{save(first, isRefused, a, b)}, records: []Record{by(first, a)}},
		"PartNamed":            {partly: true, ops: []op{names(save(first, isRefused, a, b), 1)}, records: []Record{by(first, a)}},
		"PartNamedAndGone":     {partly: true, ops: []op{names(save(first, isRefused, a, b), 1)}, lost: 1},
		"PartAndAcknowledged":  {partly: true, ops: []op{save(first, isDone, a, b)}, records: []Record{by(first, a)}, lost: 1},
		"OnePartly":            {partly: true, ops: []op{save(first, isRefused, a)}, records: []Record{by(first, a)}, wrong: 1},
		"OwnOfAPart":           {partly: true, ops: []op{save(first, isDone, own), save(second, isRefused, own, a), save(third, isRefused, own)}, records: []Record{by(second, own)}},
		"OwnOfNoPart":          {partly: true, ops: []op{save(first, isDone, own), names(save(second, isRefused, own, a), 0, 1)}, records: []Record{by(second, own)}, wrong: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var v verdict
			v.judgeSaves(c.ops, saved{
				records: lo.KeyBy(c.records, func(r Record) string { return r.ID }),
				entries: lo.GroupBy(c.entries, func(e Entry) string { return e.Name }),
				partly:  c.partly,
			})
			if v.Saves.Lost != c.lost || v.Saves.Wrong != c.wrong || v.Lost != c.lost || v.Ghosts != c.wrong || int64(len(v.Problems)) != c.lost+c.wrong {
				t.Errorf("lost %d, want %d; wrong %d, want %d; problems %q", v.Saves.Lost, c.lost, v.Saves.Wrong, c.wrong, v.Problems)
			}
		})
	}
}

func TestJudgeSavesCounts(t *testing.T) {
	t.Parallel()
	const a = savedPrefix + "a"
	one := save("w0.0.1", isDone, a)
	grouped := save("w0.0.2", isDone, ownPrefix)
	grouped.Batch = 3
	var v verdict
	v.judgeSaves([]op{one, grouped, grouped, save("w0.0.3", isRefused, savedPrefix+"b"), save("w0.0.4", isUnknown, savedPrefix+"c"), {Kind: counting, Outcome: isDone}},
		saved{records: map[string]Record{a: by("w0.0.1", a), ownPrefix: by("w0.0.2", ownPrefix)}})
	if want := (saves{Acked: 3, Refused: 1, Unknown: 1, Grouped: 2, Largest: 3}); v.Saves != want || len(v.Problems) > 0 {
		t.Errorf("got %+v, want %+v; %q", v.Saves, want, v.Problems)
	}
	if other := judge([]op{one, grouped}, data{}, nil); other.Acked != 0 {
		t.Errorf("%d saves were counted as updates", other.Acked)
	}
}

// What another save has failed with is no explanation.
func TestAttempt(t *testing.T) {
	t.Parallel()
	failing := func(text string) func() (bool, error) {
		return func() (bool, error) { return false, errors.New("the database refuses " + text) }
	}
	for name, c := range map[string]struct {
		spoil spoil
		do    func() (bool, error)
		want  []string
	}{
		"Fine":              {"", func() (bool, error) { return true, nil }, nil},
		"ItsOwnPanic":       {byPanic, func() (bool, error) { panic(errSpoiled) }, []string{ofSpoiled}},
		"ItsOwnError":       {byError, func() (bool, error) { return false, errSpoiled }, []string{ofSpoiled}},
		"ItsOwnConstraint":  {byConstraint, failing(constraint), []string{ofSpoiled}},
		"AnotherError":      {"", func() (bool, error) { return false, errSpoiled }, []string{}},
		"AnotherConstraint": {"", failing(constraint), []string{}},
		"AnotherWhoLeaves":  {byLeaving, failing(constraint), []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.spoil.attempt(c.do)
			if got := kindsOf(err); strings.Join(got, " ") != strings.Join(c.want, " ") || (err == nil) != (c.want == nil) {
				t.Errorf("got %v: %v", got, err)
			}
		})
	}
}
