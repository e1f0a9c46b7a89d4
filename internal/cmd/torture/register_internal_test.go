package main

import (
	"math"
	"testing"
)

func at(o op, start, end int64) op {
	o.Start, o.End = start, end
	return o
}

func read(value, start, end int64) op {
	return op{Kind: reading, Keys: []string{"r"}, Outcome: isDone, New: value, Start: start, End: end}
}

func set(before, after, start, end int64) op {
	return at(done("w0.0.1", setting, "r", before, after), start, end)
}

func TestLinearizable(t *testing.T) {
	unknown := at(so(op{Name: "w0.0.1", Kind: setting, Keys: []string{"r"}}, isUnknown), 5, math.MaxInt64)
	value := valueOf("w0.0.1")
	for name, c := range map[string]struct {
		ops  []op
		want bool
	}{
		"OneAfterTheOther":       {[]op{set(0, 1, 0, 10), set(1, 2, 20, 30), read(2, 40, 50)}, true},
		"AStaleRead":             {[]op{set(0, 1, 0, 10), read(0, 20, 30)}, false},
		"AReadMeanwhile":         {[]op{set(0, 1, 0, 30), read(0, 10, 20), read(1, 11, 20)}, true},
		"BackInTime":             {[]op{set(0, 1, 0, 50), read(1, 10, 20), read(0, 30, 40)}, false},
		"TwoFromOneValue":        {[]op{set(0, 1, 0, 10), set(0, 2, 5, 15)}, false},
		"TheUnknownIsRead":       {[]op{unknown, read(value, 10, 20)}, true},
		"TheUnknownIsNever":      {[]op{unknown, read(0, 10, 20)}, true},
		"TheUnknownComesAndGoes": {[]op{unknown, read(value, 10, 20), read(0, 30, 40)}, false},
		"TheUnknownIsEarly":      {[]op{unknown, read(value, 0, 2)}, false},
		"TheRefusedIsRead":       {[]op{so(set(0, 1, 0, 10), isRefused), read(1, 20, 30)}, false},
		"AReadThatFailed":        {[]op{set(0, 1, 0, 10), so(read(7, 20, 30), isRefused)}, true},
	} {
		if got, decided := linearizable(c.ops, 0); got != c.want || !decided {
			t.Errorf("%s: %v, decided %v, want %v", name, got, decided, c.want)
		}
	}
}

func TestOperationsHaveValuesOfTheirOwn(t *testing.T) {
	seen := map[int64]bool{}
	for _, name := range []string{"w0.0.1", "w0.1.0", "w1.0.0", "w0.0.2", "w2.11.345"} {
		if v := valueOf(name); seen[v] || v == 0 {
			t.Errorf("%s has the value %d of another", name, v)
		} else {
			seen[v] = true
		}
	}
}
