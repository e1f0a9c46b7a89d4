package session

import "testing"

func TestSlots(t *testing.T) {
	t.Parallel()
	var p Slots
	draw := func(name string, number, others uint64) {
		t.Helper()
		if got, with := p.Draw(name); got != number || with != others {
			t.Fatalf("drew %d with %d others, want %d with %d", got, with, number, others)
		}
	}
	for n := range uint64(66) {
		draw("a", n, n)
	}
	draw("b", 0, 2) // those beyond 64 count for every name
	p.GiveBack("a", 65)
	p.GiveBack("a", 64)
	draw("a", 66, 64) // they are not given again
	p.Spend("a", 1)
	p.GiveBack("a", 5)
	p.GiveBack("a", 3)
	draw("a", 3, 62) // and so is what is spent
	p.Spend("a", 66)
	for n := range uint64(64) {
		p.GiveBack("a", n)
	}
	p.GiveBack("b", 0)
	if len(p.taken) > 0 || p.out > 0 {
		t.Errorf("it remembers %v, and %d", p.taken, p.out)
	}
	draw("a", 0, 0)
	draw("a", 2, 1)
	if p.spent["a"] != 1<<1 {
		t.Errorf("spent are %v", p.spent)
	}
}
