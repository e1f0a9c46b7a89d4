package fencesim_test

import (
	"os"
	"testing"
)

// shapes are the ways in which stores read and write under a hold.
var shapes = map[string]string{
	"OneTransaction":  "raise read write commit",
	"TwoTransactions": "raise read commit | raise write commit",
	"Document":        "raise+read+commit | match+write+commit",
}

func shape(name string) program { return parse(shapes[name]) }

// two returns two workers with the same program.
func two(p program, processes []int, tries uint8, f faults) config {
	return config{processes: processes, programs: []program{p, p}, tries: tries, faults: f, accept: strictTriple}
}

var (
	apart    = []int{0, 1} // two processes
	together = []int{0, 0} // two turns of one
)

// Two holders, in all interleavings: everything that they, etcd, the network and
// the database can do, in every order.
func TestTwoHolders(t *testing.T) {
	t.Parallel()
	type faulty struct {
		processes []int
		tries     uint8
		faults    faults
	}
	cases := map[string]faulty{
		"NoFault":         {apart, 2, faults{}},
		"NoFaultTogether": {together, 2, faults{}},
		"Expire":          {apart, 2, faults{expires: 2, aborts: 1, quits: 1}},
		"Turns":           {together, 2, faults{expires: 1, aborts: 2, quits: 1}},
		"Restored":        {apart, 2, faults{restores: 1, aborts: 2, quits: 1}},
		"RestoredTurns":   {together, 2, faults{restores: 1, aborts: 2, quits: 1}},
	}
	if os.Getenv("HOLDFAST_SOAK") != "" && !raced {
		cases["ExpireMore"] = faulty{apart, 2, faults{expires: 2, aborts: 2, quits: 2}}
		cases["TurnsMore"] = faulty{together, 3, faults{expires: 1, aborts: 1, quits: 2}}
		cases["RestoredMore"] = faulty{apart, 2, faults{restores: 1, expires: 1, aborts: 2, quits: 2}}
	}
	for name, at := range cases {
		for of := range shapes {
			t.Run(name+"/"+of, func(t *testing.T) {
				t.Parallel()
				f := at.faults
				if raced {
					f.aborts = 0
				}
				c := two(shape(of), at.processes, at.tries, f)
				x, o := explore(&c)
				if o.losing > 0 {
					t.Errorf("%d schedules lose an update, such as%s", o.losing, x.losing())
				}
				if o.disordered > 0 {
					t.Errorf("in %d schedules a claim does not follow the one before", o.disordered)
				}
				if o.complete == 0 || f == (faults{}) && o.complete != o.schedules {
					t.Errorf("both are acknowledged in %d of %d schedules", o.complete, o.schedules)
				}
				t.Logf("%d interleavings over %d states; in %d of them both are acknowledged", o.schedules, len(x.known), o.complete)
			})
		}
	}
}

// The order of the claims is looked at, and not only given by the counter.
func TestDisorderIsSeen(t *testing.T) {
	t.Parallel()
	c := two(shape("OneTransaction"), together, 1, faults{quits: 1})
	c.accept = notLower
	if _, o := explore(&c); o.losing > 0 || o.disordered == 0 {
		t.Errorf("%d schedules lose an update, in %d claims do not follow one another; want none and some", o.losing, o.disordered)
	}
}
