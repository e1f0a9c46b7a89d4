package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// verdict is what a cell comes to.
type verdict struct {
	Acked   int64 // read-modify-writes that were acknowledged
	Refused int64
	Unknown int64
	// Lost counts acknowledged writes whose effect is gone, Ghosts refused
	// ones whose effect is there.
	Lost, Ghosts int64
	Saves        saves
	// Problems tells each of them, and whatever else must not be.
	Problems []string
}

// wronged counts the writes whose answer is not true.
func (v *verdict) wronged() int64 { return v.Lost + v.Ghosts }

func (v *verdict) lose(n int64, format string, args ...any) {
	v.Lost += n
	v.problem(format, args...)
}

func (v *verdict) problem(format string, args ...any) {
	v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
}

// judge compares what callers were told with what is stored in the end.
func judge(ops []op, d data, final map[string]Record) verdict {
	var v verdict
	byKey := map[string][]op{}
	for _, o := range ops {
		if o.blind() {
			continue
		}
		if o.Kind == reading {
			byKey[o.Keys[0]] = append(byKey[o.Keys[0]], o)
			continue
		}
		switch o.Outcome {
		case isDone:
			v.Acked++
		case isRefused:
			v.Refused++
		default:
			v.Unknown++
		}
		for _, k := range o.Keys {
			byKey[k] = append(byKey[k], o)
		}
	}
	for _, id := range d.all() {
		if _, ok := final[id]; !ok {
			v.lose(1, "%s is gone", id)
		}
	}
	for _, id := range d.Counters {
		v.judgeCounter(id, byKey[id], d.initial(id), final[id].N)
	}
	for _, id := range d.Lists {
		v.judgeList(id, byKey[id], final[id].Text)
	}
	v.judgeAccounts(d, byKey, final)
	for _, id := range d.Registers {
		v.judgeRegister(id, byKey[id])
	}
	return v
}

// judgeCounter: two acknowledged increments that began with one value mean that
// one of them is lost; and so does a final value below their number.
func (v *verdict) judgeCounter(id string, ops []op, initial, final int64) {
	var acked, unknown, twice int64
	began := map[int64]string{}
	for _, o := range ops {
		switch o.Outcome {
		case isDone:
			acked++
			if o.New != o.Old+1 {
				v.problem("%s: %s went from %d to %d", id, o.Name, o.Old, o.New)
			}
			if other, ok := began[o.Old]; ok {
				twice++
				v.problem("%s: %s and %s both began with %d", id, other, o.Name, o.Old)
			}
			began[o.Old] = o.Name
		case isUnknown:
			unknown++
		}
	}
	grown := final - initial
	if missing := max(acked-grown, twice); missing > 0 {
		v.lose(missing, "%s: %d were acknowledged, and it grew by %d", id, acked, grown)
	}
	if ghosts := grown - acked - unknown; ghosts > 0 {
		v.Ghosts += ghosts
		v.problem("%s: %d were acknowledged, %d are unknown, and it grew by %d", id, acked, unknown, grown)
	}
}

// judgeList: every acknowledged element is there once, and no refused one is.
func (v *verdict) judgeList(id string, ops []op, final string) {
	found := map[string]int{}
	for e := range strings.SplitSeq(strings.TrimSuffix(final, ","), ",") {
		if e != "" {
			found[e]++
		}
	}
	for _, o := range ops {
		n := found[o.Name]
		delete(found, o.Name)
		switch {
		case n == 0 && o.Outcome == isDone:
			v.lose(1, "%s: %s was acknowledged and is not in it", id, o.Name)
		case n > 0 && o.Outcome == isRefused:
			v.Ghosts++
			v.problem("%s: %s was refused (%s) and is in it", id, o.Name, o.Err)
		case n > 1:
			v.Ghosts++
			v.problem("%s: %s is in it %d times", id, o.Name, n)
		}
	}
	for e := range found {
		v.Ghosts++
		v.problem("%s: %s is in it, which nobody appended", id, e)
	}
}

// judgeAccounts: nothing comes or goes, and what an account has is what moved.
func (v *verdict) judgeAccounts(d data, byKey map[string][]op, final map[string]Record) {
	var sum, want int64
	for _, id := range d.Accounts {
		sum += final[id].N
		want += d.initial(id)
		balance := d.initial(id)
		var unknown, refused []int64
		for _, o := range byKey[id] {
			amount := o.Amount
			if o.Keys[0] == id {
				amount = -amount
			}
			switch o.Outcome {
			case isDone:
				balance += amount
			case isRefused:
				refused = append(refused, amount)
			default:
				unknown = append(unknown, amount)
			}
		}
		possible := sums(map[int64]bool{balance: true}, unknown)
		switch {
		case possible[final[id].N]:
		case sums(possible, refused)[final[id].N]:
			v.Ghosts++
			v.problem("%s has %d, which only moves that were refused explain; what was acknowledged leaves %d", id, final[id].N, balance)
		default:
			v.lose(1, "%s has %d, and what moved leaves %d", id, final[id].N, balance)
		}
	}
	if sum != want {
		v.lose(1, "the accounts have %d together, and began with %d", sum, want)
	}
}

// sums are all numbers that some of the amounts can make of those that are there.
func sums(from map[int64]bool, amounts []int64) map[int64]bool {
	reached := maps.Clone(from)
	for _, a := range amounts {
		for n := range maps.Clone(reached) {
			reached[n+a] = true
		}
	}
	return reached
}

// judgeUnknown: while the database can be asked, nobody may be told that
// nothing is known; nor, by a store that forgets, that asking failed.
func (v *verdict) judgeUnknown(ops []op, forgets bool) {
	for _, o := range ops {
		if slices.Contains(o.Kinds, ofUnknown) && (!forgets || slices.Contains(o.Kinds, ofDatabase)) {
			v.problem("%s of %v is unknown although the database can be asked: %s", o.Kind, o.Keys, o.Err)
			return
		}
	}
}

// judgeErrors: a caller that is refused must be able to tell why, and only by
// what the fault explains.
func (v *verdict) judgeErrors(ops []op, explained []string) {
	said := map[string]bool{}
	for _, o := range ops {
		if o.Outcome == isDone || o.Err == "" {
			continue
		}
		if !slices.ContainsFunc(o.Kinds, func(k string) bool { return slices.Contains(explained, k) }) && !said[o.Err] {
			said[o.Err] = true
			v.problem("%s of %v was %s by an error that is not documented for this: %v %s", o.Kind, o.Keys, o.Outcome, o.Kinds, o.Err)
		}
	}
}
