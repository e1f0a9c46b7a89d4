package fencesim_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// broken is a protocol that lacks something, and what it takes to see that.
type broken struct {
	processes []int
	program   string
	unfenced  string // program of the last worker, when it is another
	faults    faults
	accept    rule // strictTriple when nil
	flaw      flaw
	sound     string // the shape that survives the same faults
	rare      bool   // found by trying everything only
}

// What a write-time check, the usual fence, compares.
func notLower(stored, c claim) bool { return stored.token <= c.token }

func noOwner(stored, c claim) bool {
	return stored.token < c.token || stored.token == c.token && c.later(stored)
}

func noTurn(stored, c claim) bool {
	return stored.token < c.token || stored.token == c.token && stored.owner == c.owner
}

// Rules R1 to R4 and what else the fence consists of, each switched off alone.
var without = map[string]broken{
	// The check comes with the write.
	"R1_OneTransaction":  {apart, "read raise write commit", "", faults{expires: 1}, nil, flaw{}, "OneTransaction", false},
	"R1_TwoTransactions": {apart, "read commit | raise write commit", "", faults{expires: 1}, nil, flaw{}, "TwoTransactions", false},
	"R1_Document":        {apart, "read+commit | raise+write+commit", "", faults{expires: 1}, nil, flaw{}, "Document", false},
	"R1_NotLower":        {apart, "read raise write commit", "", faults{expires: 1}, notLower, flaw{}, "OneTransaction", false},
	// The write goes without.
	"R2_OneTransaction":  {apart, "raise commit | read write commit", "", faults{expires: 1}, nil, flaw{}, "OneTransaction", false},
	"R2_TwoTransactions": {apart, "raise read commit | write commit", "", faults{expires: 1}, nil, flaw{}, "TwoTransactions", false},
	"R2_Document":        {apart, "raise+read+commit | write+commit", "", faults{expires: 1}, nil, flaw{}, "Document", false},
	// A raise that did not succeed does not stop the transaction.
	"R3_RefusedTwoTransactions": {apart, shapes["TwoTransactions"], "", faults{expires: 1}, nil, flaw{refusedGoesOn: true}, "TwoTransactions", false},
	"R3_RefusedDocument":        {apart, shapes["Document"], "", faults{expires: 1}, nil, flaw{refusedGoesOn: true}, "Document", false},
	"R3_FailedOneTransaction":   {apart, shapes["OneTransaction"], "", faults{expires: 1, aborts: 1}, nil, flaw{failedGoesOn: true}, "OneTransaction", false},
	"R3_FailedTwoTransactions":  {apart, shapes["TwoTransactions"], "", faults{expires: 1, aborts: 1}, nil, flaw{failedGoesOn: true}, "TwoTransactions", false},
	// One writer takes the lock and shows no claim.
	"R4_OneTransaction":  {apart, shapes["OneTransaction"], "read write commit", faults{expires: 1}, nil, flaw{}, "OneTransaction", false},
	"R4_TwoTransactions": {apart, shapes["TwoTransactions"], "read write commit", faults{expires: 1}, nil, flaw{}, "TwoTransactions", false},
	"R4_Document":        {apart, shapes["Document"], "read+commit | write+commit", faults{expires: 1}, nil, flaw{}, "Document", false},
	// Every part of the claim counts.
	"NoOwner":        {apart, shapes["TwoTransactions"], "", faults{restores: 1, aborts: 3}, noOwner, flaw{}, "TwoTransactions", true},
	"NoTurn":         {together, shapes["TwoTransactions"], "", faults{quits: 1}, noTurn, flaw{}, "TwoTransactions", false},
	"NotLower_Turns": {together, shapes["TwoTransactions"], "", faults{quits: 1}, notLower, flaw{}, "TwoTransactions", false},
	"NotLower_Twins": {apart, shapes["TwoTransactions"], "", faults{restores: 1}, notLower, flaw{}, "TwoTransactions", false},
	"NoLookup":       {apart, shapes["OneTransaction"], "", faults{quits: 1}, nil, flaw{noLookup: true}, "OneTransaction", false},
	// A session that outlives the restore of etcd holds the same token twice, so
	// that its name does not tell the holds apart.
	"SessionOwner": {together, shapes["TwoTransactions"], "", faults{restores: 1, aborts: 3, quits: 1}, nil, flaw{sessionOwner: true}, "TwoTransactions", true},
}

func (b *broken) config(tries uint8) config {
	c := two(parse(b.program), b.processes, tries, b.faults)
	if b.unfenced != "" {
		c.programs[1] = parse(b.unfenced)
	}
	if b.accept != nil {
		c.accept = b.accept
	}
	c.flaw = b.flaw
	return c
}

func TestBrokenProtocols(t *testing.T) {
	t.Parallel()
	for name, b := range without {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := b.config(2)
			x, o := explore(&c)
			if o.losing == 0 {
				t.Fatalf("%d interleavings lose nothing", o.schedules)
			}
			t.Logf("%d of %d interleavings lose an update, a shortest one is%s", o.losing, o.schedules, x.losing())
			c = two(shape(b.sound), b.processes, 2, b.faults)
			if x, o := explore(&c); o.losing > 0 {
				t.Errorf("with nothing switched off: %s", x.losing())
			}
		})
	}
}

// The page tells its readers why a check at the write is too late.
func TestGuaranteesShowTheShortestLoss(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	b := without["R1_Document"]
	c := b.config(2)
	x, o := explore(&c)
	oneLine := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	for _, want := range []string{x.losing(), fmt.Sprintf("%d of %d interleavings", o.losing, o.schedules)} {
		if !strings.Contains(oneLine(string(page)), oneLine(want)) {
			t.Errorf("docs/guarantees.md does not have: %s", want)
		}
	}
}
