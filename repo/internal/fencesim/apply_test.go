package fencesim_test

import "errors"

// What must not happen.
var (
	errCount = errors.New("the counter is not the number of increments that are committed")
	errAck   = errors.New("an increment was acknowledged that is not committed")
)

// apply changes s by one step.
func (c *config) apply(s *state, st step) error {
	if st.op == expire {
		s.left.expires--
		s.processes[st.n].key = 0
		return nil
	}
	w := &s.workers[st.n]
	p := &s.processes[c.processes[st.n]]
	switch st.op {
	case ask:
		s.rev++
		p.key = s.rev
	case own:
		s.holds++
		p.hold = claim{token: p.key, owner: s.holds}
		if c.flaw.sessionOwner {
			p.hold.owner = uint8(c.processes[st.n]) + 1
		}
		c.turn(w, p)
	case take:
		c.turn(w, p)
	case run:
		return c.run(s, st.n, &w.tx)
	case runLate:
		return c.run(s, st.n, &w.orphan)
	case drop:
		w.orphan = transaction{}
	case abort:
		s.left.aborts--
		if at := c.next(st.n, &w.tx); c.flaw.failedGoesOn && len(at) == 1 && at[0] == raise {
			w.tx.next++
			return nil
		}
		c.begin(w, w.tx.nth)
	case quit:
		s.left.quits--
		w.orphan, w.tx, w.phase = w.tx, transaction{}, unsure
	case again:
		w.tries--
		c.begin(w, 0)
	case leave, release:
		if st.op == release {
			if p.key == p.hold.token {
				p.key = 0 // guarded by the create revision, as in etcdlock
			}
			p.hold = claim{}
		}
		if w.phase == acked {
			w.phase, w.tries = over, 0
		} else {
			w.phase = outside
		}
		w.at = claim{}
	case restore:
		s.left.restores--
		s.rev = 0
		for i := range s.processes {
			s.processes[i].key = 0
		}
	}
	return nil
}

// turn gives the worker the next turn of the hold.
func (c *config) turn(w *worker, p *process) {
	p.hold.turn++
	w.at = p.hold
	w.tries--
	c.begin(w, 0)
}

// begin sends the nth transaction of the program, with a claim of its own. What
// an earlier one read is still known.
func (c *config) begin(w *worker, nth uint8) {
	tx := transaction{open: true, nth: nth}
	if nth > 0 {
		tx.value, tx.before = w.tx.value, w.tx.before
	}
	w.at.attempt++
	tx.claim = w.at
	w.tx, w.phase = tx, working
}

// run carries out the next step of a transaction of worker n.
func (c *config) run(s *state, n int, tx *transaction) error {
	w := &s.workers[n]
	for _, st := range c.next(n, tx) {
		switch st {
		case raise, match:
			ok := st == raise && c.accept(s.stored, tx.claim) || st == match && s.stored == tx.before
			if !ok && !c.flaw.refusedGoesOn {
				c.end(w, tx, refused)
				return nil
			}
			tx.raised = ok
		case read:
			if s.done[n] && !c.flaw.noLookup {
				c.end(w, tx, acked)
				return nil
			}
			tx.value = s.value
		case write:
			tx.wrote = true
		case commit:
			return c.commit(s, n, tx)
		}
	}
	tx.next++
	return nil
}

// end rolls a transaction back. Nobody learns what became of an orphan.
func (c *config) end(w *worker, tx *transaction, ph phase) {
	if tx == &w.tx {
		w.phase = ph
	}
	*tx = transaction{}
}

func (c *config) commit(s *state, n int, tx *transaction) error {
	if tx.raised {
		s.disorder = s.disorder || !strictTriple(s.stored, tx.claim)
		s.stored = tx.claim
	}
	if tx.wrote {
		s.value = tx.value + 1
		s.done[n] = true
		if s.value != s.committed() {
			return errCount
		}
	}
	w := &s.workers[n]
	switch last := int(tx.nth) == len(c.programs[n])-1; {
	case tx != &w.tx:
		*tx = transaction{}
	case !last:
		tx.before = tx.claim
		c.begin(w, tx.nth+1)
	case !s.done[n]:
		return errAck
	default:
		c.end(w, tx, acked)
	}
	return nil
}
