package fencesim_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Three holders, by chance. What is drawn smallest is a fault-free schedule in
// which one after the other does its work, so that a failure shrinks to few
// faults.
func TestThreeHolders(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := crowd(func(name string, n int) int { return rapid.IntRange(0, n-1).Draw(t, name) })
		next := rapid.IntMin(0)
		if err := simulate(&c, func(n int) int { return next.Draw(t, "step") % n }); err != nil {
			t.Fatal(err)
		}
	})
}

// The same with more runs than rapid has patience for.
func TestThreeHolders_ManyRuns(t *testing.T) {
	t.Parallel()
	runs := uint64(10_000)
	if os.Getenv("HOLDFAST_SOAK") != "" {
		runs = 5_000_000
	}
	if raced {
		runs /= 10
	}
	start := rand.Uint64()
	for seed := start; seed != start+runs; seed++ {
		if err := simulateSeed(seed, nil); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	t.Logf("%d interleavings of three holders lose nothing", runs)
}

// What finds nothing in the correct protocol must be able to find something.
func TestBrokenProtocols_ThreeHolders(t *testing.T) {
	t.Parallel()
	for name, b := range without {
		if b.rare {
			continue // takes more than chance
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const tries = 200_000
			for seed := range uint64(tries) {
				if errors.Is(simulateSeed(seed, &b), errCount) {
					t.Logf("found after %d runs", seed+1)
					return
				}
			}
			t.Errorf("%d runs found nothing", tries)
		})
	}
}

func simulateSeed(seed uint64, b *broken) error {
	r := rand.New(rand.NewPCG(seed, 0))
	c := crowd(func(_ string, n int) int { return r.IntN(n) })
	if b != nil {
		p := parse(b.program)
		c.programs = []program{p, p, p}
		if b.unfenced != "" {
			c.programs[2] = parse(b.unfenced)
		}
		if b.accept != nil {
			c.accept = b.accept
		}
		c.flaw = b.flaw
	}
	return simulate(&c, r.IntN)
}

// crowd draws three workers in one to three processes. On a store with
// transactions each takes one or two of them.
func crowd(draw func(name string, n int) int) config {
	c := config{
		processes: [][]int{{0, 1, 2}, {0, 0, 1}, {0, 1, 0}, {0, 0, 0}}[draw("processes", 4)],
		tries:     1 + uint8(draw("tries", 3)),
		faults: faults{
			expires:  uint8(draw("expires", 4)),
			restores: uint8(draw("restores", 2)),
			aborts:   uint8(draw("aborts", 4)),
			quits:    uint8(draw("quits", 3)),
		},
		accept: strictTriple,
	}
	documents := draw("documents", 3) == 2
	for range c.processes {
		switch {
		case documents:
			c.programs = append(c.programs, shape("Document"))
		default:
			sql := []string{"OneTransaction", "TwoTransactions"}
			c.programs = append(c.programs, shape(sql[draw("transactions", 2)]))
		}
	}
	return c
}

// simulate lets pick choose each step until nothing can happen any more.
func simulate(c *config, pick func(n int) int) error {
	s := c.start()
	var way, steps []step
	for {
		if steps = c.steps(&s, steps[:0]); len(steps) == 0 {
			break
		}
		st := steps[pick(len(steps))]
		way = append(way, st)
		if err := c.apply(&s, st); err != nil {
			return fmt.Errorf("%w:%s", err, c.story(way))
		}
	}
	if s.disorder {
		return fmt.Errorf("a claim does not follow the one before:%s", c.story(way))
	}
	return nil
}

// story goes a way again and tells it: in words it takes longer than all the
// rest, and is wanted of the few that go wrong.
func (c *config) story(way []step) string {
	var b strings.Builder
	s := c.start()
	for _, st := range way {
		before := s
		_ = c.apply(&s, st) // what it breaks is known
		fmt.Fprintf(&b, "\n  %s", c.tell(&before, &s, st))
	}
	return b.String()
}
