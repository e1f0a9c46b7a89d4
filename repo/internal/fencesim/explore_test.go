package fencesim_test

import (
	"fmt"
	"math/bits"
	"strings"
)

// outcome is what all the ways to go on from a state come to.
type outcome struct {
	schedules  uint64 // to their end, or to the step that breaks something
	losing     uint64
	disordered uint64 // lost nothing, but claims did not follow one another
	complete   uint64 // every worker was acknowledged
	shortest   int    // steps to the nearest loss, when there is one
	by         step   // the first of them
}

// search tries everything. The ways on from a state are counted once.
type search struct {
	c     *config
	known map[state]outcome
}

func explore(c *config) (*search, outcome) {
	x := &search{c: c, known: make(map[state]outcome)}
	s := c.start()
	return x, x.from(&s)
}

func (x *search) from(s *state) outcome {
	if o, ok := x.known[*s]; ok {
		return o
	}
	var o outcome
	var buf [16]step
	steps := x.c.steps(s, buf[:0])
	for _, st := range steps {
		next := *s
		after := outcome{schedules: 1, losing: 1}
		if x.c.apply(&next, st) == nil {
			after = x.from(&next)
		}
		o.schedules = sum(o.schedules, after.schedules)
		o.losing = sum(o.losing, after.losing)
		o.disordered = sum(o.disordered, after.disordered)
		o.complete = sum(o.complete, after.complete)
		if after.losing > 0 && (o.shortest == 0 || after.shortest+1 < o.shortest) {
			o.shortest, o.by = after.shortest+1, st
		}
	}
	if len(steps) == 0 {
		o.schedules = 1
		if s.disorder {
			o.disordered = 1
		}
		if x.c.complete(s) {
			o.complete = 1
		}
	}
	x.known[*s] = o
	return o
}

// complete reports whether every worker's increment was acknowledged.
func (c *config) complete(s *state) bool {
	for i := range c.processes {
		if s.workers[i].phase != over {
			return false
		}
	}
	return true
}

func sum(a, b uint64) uint64 {
	n, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		panic("too many schedules to count")
	}
	return n
}

// losing writes a shortest schedule that loses an update.
func (x *search) losing() string {
	var b strings.Builder
	s := x.c.start()
	for {
		st := x.known[s].by
		before := s
		err := x.c.apply(&s, st)
		fmt.Fprintf(&b, "\n  %s", x.c.tell(&before, &s, st))
		if err != nil {
			fmt.Fprintf(&b, "\n  counted %d, committed %d: %v", s.value, s.committed(), err)
			return b.String()
		}
	}
}
