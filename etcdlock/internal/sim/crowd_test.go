package sim_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Three to five contenders, by chance. What is drawn smallest is what goes
// well, so that a failure shrinks to few faults.
func TestCrowd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(func(name string, from, to int) int { return rapid.IntRange(from, to).Draw(t, name) })
		next := rapid.Int32Min(0)
		err := simulate(c, func(n int) int { return int(next.Draw(t, "step")) % n })
		if err != nil {
			t.Fatal(err)
		}
	})
}

// The same with more runs than rapid has patience for.
func TestCrowd_ManyRuns(t *testing.T) {
	t.Parallel()
	runs := uint64(5_000)
	if os.Getenv("HOLDFAST_SOAK") != "" {
		runs = 1_000_000
	}
	if raced {
		runs /= 10
	}
	start := rand.Uint64()
	for seed := start; seed != start+runs; seed++ {
		if err := simulateSeed(seed, flaw{}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func simulateSeed(seed uint64, f flaw) error {
	r := rand.New(rand.NewPCG(seed, 0))
	c := drawConfig(func(_ string, from, to int) int { return from + r.IntN(to-from+1) })
	c.flaw = f
	return simulate(c, r.IntN)
}

func drawConfig(draw func(name string, from, to int) int) *config {
	c := &config{clients: draw("clients", 3, maxClients), attempts: draw("attempts", 1, maxAttempts)}
	c.faults = uint8(draw("faults", 0, 6))
	c.patience = uint8(draw("patience", 0, 3))
	c.ticks = uint8(draw("ticks", 0, 8))
	c.drifts = uint8(draw("drifts", 0, 1))
	c.running = draw("running", 0, c.clients)
	c.slow = uint16(draw("slow", 0, 1<<c.entries()-1)) & uint16(draw("of these", 0, 1<<c.entries()-1))
	c.tries = uint16(draw("tries", 0, 1<<c.entries()-1)) & uint16(draw("of them", 0, 1<<c.entries()-1))
	c.exchanges = uint16(draw("exchanges", 0, 1<<c.clients-1))
	c.standing = uint16(draw("standing", 0, 1<<c.clients-1))
	c.guessLast = draw("guess", 0, 1) == 1
	return c
}

// simulate lets pick choose each step as long as something can go wrong, then
// lets everything end.
func simulate(c *config, pick func(n int) int) error {
	s := c.start()
	var way story
	var steps []step
	do := func(st step) error {
		way = append(way, st)
		if err := c.apply(s, st); err != nil {
			return fmt.Errorf("%w:\n%v", err, way)
		}
		return nil
	}
	for range 60 * c.clients {
		if steps = c.steps(s, steps[:0]); len(steps) == 0 {
			break
		}
		st := steps[pick(len(steps))]
		for range 3 {
			if st.op <= leave && c.slow&(1<<st.n) != 0 {
				st = steps[pick(len(steps))]
			}
		}
		if err := do(st); err != nil {
			return err
		}
	}
	// The rest is what must happen. The one that has waited longest goes next.
	var turns [opEnd][256]int
	for turn := 1; ; turn++ {
		steps = c.steps(s, steps[:0])
		oldest := -1
		for i, st := range steps {
			if st.op <= lastGood && (oldest < 0 || turns[st.op][st.n] < turns[steps[oldest].op][steps[oldest].n]) {
				oldest = i
			}
		}
		if oldest < 0 && c.over(s) {
			return nil
		}
		if oldest < 0 || turn > 2000 {
			return fmt.Errorf("%w:\n%v", errStuck, way)
		}
		st := steps[oldest]
		turns[st.op][st.n] = turn
		if err := do(st); err != nil {
			return err
		}
	}
}

// story is the steps of a run, in words only when they are wanted: that takes
// longer than the run.
type story []step

func (way story) String() string {
	var b strings.Builder
	for _, st := range way {
		fmt.Fprintf(&b, "  %v\n", st)
	}
	return b.String()
}
