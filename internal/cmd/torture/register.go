package main

import (
	"time"

	"github.com/anishathalye/porcupine"
)

// checkLimit bounds the search for an order of one register's operations.
const checkLimit = 20 * time.Second

// access is what porcupine is told of an operation on a register or counter: a
// read, or a change from one value to another.
type access struct {
	change   bool
	counts   bool // adds one, whatever was there
	certain  bool // old is known
	old, new int64
}

// registerModel accepts a read of the value that is there, and a change that
// began with it.
func registerModel(initial int64) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return initial },
		Step: func(state, input, _ any) (bool, any) {
			value, a := state.(int64), input.(access) //nolint:forcetypeassert // they are what operations says
			switch {
			case !a.change:
				return value == a.new, value
			case !a.certain && a.counts:
				return true, value + 1
			case !a.certain:
				return true, a.new
			default:
				return value == a.old, a.new
			}
		},
	}
}

// operations makes a history for porcupine. A change that nobody knows of may
// have happened at any time after it began, or never, which is the same as
// after the end of everything. A refused one did not happen.
func operations(ops []op) []porcupine.Operation {
	var all []porcupine.Operation
	for _, o := range ops {
		a := access{change: o.Kind != reading, counts: o.Kind == counting || o.Kind == ignoring, certain: o.Outcome == isDone, old: o.Old, new: o.New}
		end := o.End
		switch {
		case o.Outcome == isRefused, o.Kind == reading && o.Outcome != isDone:
			continue
		case o.Outcome == isUnknown:
			end = 1<<63 - 1
			if o.Kind == setting {
				a.new = valueOf(o.Name)
			}
		}
		all = append(all, porcupine.Operation{ClientId: len(all), Input: a, Call: o.Start, Return: end})
	}
	return all
}

// linearizable reports whether some order of the operations explains what all
// callers saw. The second result is false when none was found in time.
func linearizable(ops []op, initial int64) (ok, decided bool) {
	switch porcupine.CheckOperationsTimeout(registerModel(initial), operations(ops), checkLimit) {
	case porcupine.Ok:
		return true, true
	case porcupine.Illegal:
		return false, true
	default:
		return false, false
	}
}

// rejected reports whether no order explains the history of some counter.
func rejected(ops []op, d data) bool {
	for _, id := range d.Counters {
		var own []op
		for _, o := range ops {
			if o.Keys[0] == id {
				own = append(own, o)
			}
		}
		if ok, decided := linearizable(own, d.initial(id)); decided && !ok {
			return true
		}
	}
	return false
}

func (v *verdict) judgeRegister(id string, ops []op) {
	switch ok, decided := linearizable(ops, 0); {
	case !decided:
		v.problem("%s: no order of its %d operations was found or ruled out in %v", id, len(ops), checkLimit)
	case !ok:
		v.lose(1, "%s: no order of its %d operations explains what their callers saw", id, len(ops))
	}
}
