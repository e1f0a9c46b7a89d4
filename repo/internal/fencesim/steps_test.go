package fencesim_test

import "slices"

// step is something that can happen next.
type step struct {
	op op
	n  int // the worker, or the process for expire
}

type op uint8

const (
	ask     op = iota // the process queues in etcd
	own               // its key has become the first: turn 1
	take              // it has the hold still: the next turn, and etcd is not asked
	run               // the next step of the transaction
	runLate           // the same, of one that nobody waits for
	drop              // one that nobody waits for is rolled back
	abort             // the database rolls the transaction back, or refuses to wait
	quit              // the caller goes away from the transaction
	again             // and reads again
	leave             // the turn ends, the process keeps the hold
	release           // the turn ends, the process gives the lock back
	expire
	restore
)

// steps appends what can happen in s.
func (c *config) steps(s *state, to []step) []step {
	for n := range c.processes {
		w := &s.workers[n]
		p := &s.processes[c.processes[n]]
		switch w.phase {
		case outside:
			switch free := w.tries > 0 && !c.busy(s, c.processes[n]); {
			case free && p.hold.token != 0:
				to = append(to, step{take, n})
			case free && p.key == 0:
				to = append(to, step{ask, n})
			case free && c.first(s) == p.key:
				to = append(to, step{own, n})
			}
		case working:
			if c.runs(s, n, &w.tx) {
				to = append(to, step{run, n})
			}
			if s.left.aborts > 0 {
				to = append(to, step{abort, n})
			}
			if s.left.quits > 0 && !w.orphan.open {
				to = append(to, step{quit, n})
			}
		case unsure:
			if w.tries > 0 {
				to = append(to, step{again, n})
			}
			to = c.ends(s, n, to)
		case refused, acked:
			to = c.ends(s, n, to)
		}
		if w.orphan.open {
			if c.runs(s, n, &w.orphan) {
				to = append(to, step{runLate, n})
			}
			to = append(to, step{drop, n})
		}
		if first := slices.Index(c.processes, c.processes[n]) == n; first && p.key != 0 && s.left.expires > 0 {
			to = append(to, step{expire, c.processes[n]})
		}
	}
	if s.left.restores > 0 && s.rev > 0 {
		to = append(to, step{op: restore})
	}
	return to
}

// ends appends the ways to end a turn. A hold that nobody of the process wants
// any more is given back.
func (c *config) ends(s *state, n int, to []step) []step {
	for i, p := range c.processes {
		w := &s.workers[i]
		wants := w.phase == outside || i == n && w.phase != acked
		if p == c.processes[n] && wants && w.tries > 0 {
			to = append(to, step{leave, n})
			break
		}
	}
	return append(to, step{release, n})
}

// first is the lowest create revision in the queue.
func (c *config) first(s *state) (rev uint8) {
	for i := range s.processes {
		if k := s.processes[i].key; k != 0 && (rev == 0 || k < rev) {
			rev = k
		}
	}
	return rev
}

// runs reports whether the next step of a transaction of worker n need not wait
// for the locks of another.
func (c *config) runs(s *state, n int, tx *transaction) bool {
	for _, st := range c.next(n, tx) {
		switch st {
		case raise, match:
			if s.others(tx, func(o *transaction) bool { return o.raised }) {
				return false
			}
		case write:
			if s.others(tx, func(o *transaction) bool { return o.wrote }) {
				return false
			}
		}
	}
	return true
}

func (c *config) next(n int, tx *transaction) []statement {
	return c.programs[n][tx.nth][tx.next]
}
