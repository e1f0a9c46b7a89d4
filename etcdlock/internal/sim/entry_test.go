package sim_test

import "fmt"

// serve carries a request out, as etcd does in one transaction.
func (c *config) serve(s *state, kind phase, it item, try bool) (a answer, rev uint8, pred key) {
	at := s.find(it.key)
	switch kind {
	case enqueue:
		switch {
		case at >= 0 && !try, at >= 0 && try && s.nItems > 0:
			return own, s.items[at].rev, 0
		case try && s.nItems > 0:
			return held, 0, 0
		case !s.clients[it.key.client()].has(it.gen):
			return leaseEnded, 0, 0
		}
		if s.nItems > 0 {
			pred = s.items[s.nItems-1].key
		}
		return ok, s.put(it), pred
	case enqueueCheck, check, recheck:
		if (at < 0 || s.items[at].rev != it.rev) && !c.flaw.noOwnKey {
			return gone, 0, 0
		}
		for _, other := range s.queue() {
			if other.rev < it.rev {
				pred = other.key
			}
		}
		return ok, 0, pred
	case release:
		switch {
		case c.flaw.noGuard:
			if at >= 0 {
				s.remove(at)
			}
			return ok, 0, 0
		case at < 0 || s.items[at].rev != it.rev:
			return gone, 0, 0
		}
		s.remove(at)
		return ok, 0, 0
	case sweep, lastSweep:
		if at >= 0 {
			s.remove(at)
		}
		return ok, 0, 0
	}
	panic(fmt.Sprint("no request in phase ", kind))
}

func (c *config) applyEntry(s *state, n int, o op) error {
	e := &s.entries[n]
	p := &s.clients[c.clientOf(n)]
	switch o {
	case begin:
		if e.try && s.nItems > 0 {
			c.finish(s, e, busy) // look: one read
			return nil
		}
		e.sole = p.taken == 0
		e.key, e.gen = p.draw(c.clientOf(n)), p.gen
		e.send(enqueue)
	case deliver:
		it := item{key: e.key, gen: e.gen, rev: e.rev}
		if e.rpc = answered; e.phase == exchange {
			e.ans, e.ansRev, e.ansKey = c.serveExchange(s, it, &s.entries[n+1], e.successor)
			return nil
		}
		e.ans, e.ansRev, e.ansKey = c.serve(s, e.phase, it, e.try)
		if e.ans == ok && e.ansKey == 0 && e.phase <= recheck {
			e.granted, e.forfeit = true, false
		}
	case receive:
		a, rev, pred := e.ans, e.ansRev, e.ansKey
		e.rpc, e.ans, e.ansRev, e.ansKey = nowhere, none, 0, 0
		return c.receive(s, n, a, rev, pred)
	case retry:
		switch e.phase {
		case enqueueError:
			e.send(enqueue)
		case releaseError:
			e.again = true
			e.send(release)
		case exchangeError:
			e.again = true
			e.send(exchange)
		case sweepError:
			e.send(sweep)
		case lastSweepError:
			e.send(lastSweep)
		case backoff:
			e.send(recheck)
		}
	case register:
		e.phase, e.watching, e.created = wait, true, true
	case notice:
		return c.notice(s, n)
	case leave:
		if c.canExchange(s, n) {
			next := &s.entries[n+1]
			next.sole = p.taken == 1<<(e.key.number()-1) && !e.unclear
			next.key, next.gen, next.phase = p.draw(c.clientOf(n)), p.gen, carried
			e.successor = c.guessSuccessor(s, e)
			e.send(exchange)
			return nil
		}
		e.send(release)
	case settle:
		e.send(lastSweep)
	case seen:
		e.send(sweep)
	case guard:
		c.gone(s, e)
	case giveUp:
		s.patience--
		e.left, e.result = true, gaveUp
		c.leave(s, e)
		switch {
		case e.phase != enqueueError:
			c.dropRPC(s, e)
			e.unwatch()
			e.send(release)
		case c.flaw.noSweep:
			c.finish(s, e, gaveUp)
		default:
			e.send(sweep)
		}
	case timeout:
		c.dropRPC(s, e)
		e.failed()
	case loseReply:
		e.rpc, e.ans, e.ansRev, e.ansKey = nowhere, none, 0, 0
		e.failed()
	case breakWatch:
		e.unwatch()
		e.phase = backoff
	}
	return nil
}

func (e *entry) send(ph phase) { e.phase, e.rpc = ph, sent }

// failed is what an error instead of an answer leads to.
func (e *entry) failed() {
	switch e.phase {
	case enqueue:
		e.unclear = true
		e.phase = enqueueError
	case enqueueCheck:
		e.phase = enqueueError
	case check, recheck:
		e.unwatch()
		e.phase = backoff
	case release:
		e.phase, e.left = releaseError, true
	case exchange:
		e.phase, e.left = exchangeError, true
	case sweep:
		e.phase, e.stray = sweepError, true
	case lastSweep:
		e.phase, e.stray = lastSweepError, true
	}
}

func (c *config) receive(s *state, n int, a answer, rev uint8, pred key) error {
	e := &s.entries[n]
	switch e.phase {
	case enqueue:
		switch a {
		case ok:
			e.rev = rev
			return c.placed(s, n, pred)
		case own:
			e.rev = rev
			e.send(enqueueCheck)
		case held:
			c.end(s, e, busy)
		case leaseEnded:
			c.lose(s, c.clientOf(n), false)
		}
	case enqueueCheck, check, recheck:
		if a == gone {
			c.gone(s, e)
			return nil
		}
		if pred != 0 && pred == e.pred {
			if e.phase = open; e.watching {
				e.phase = wait
			}
			return nil
		}
		return c.placed(s, n, pred)
	case exchange:
		return c.exchanged(s, n, a, rev, pred)
	case release:
		e.left = true
		switch {
		case a == ok || e.again:
			if e.forfeit && !e.again && e.result == pending {
				return errNotTold
			}
			c.end(s, e, released)
		default:
			c.end(s, e, lost)
		}
	case sweep:
		if c.flaw.oneSweep {
			c.finish(s, e, gaveUp)
			return nil
		}
		e.phase = sweepWait
	case lastSweep:
		c.finish(s, e, released)
	}
	return nil
}

// placed takes note of who is before the entry, nobody included.
func (c *config) placed(s *state, n int, pred key) error {
	e := &s.entries[n]
	if pred != 0 && e.watching && e.pred == pred {
		e.phase = wait // the watch stood before the key
		return nil
	}
	e.unwatch()
	e.pred = pred
	switch {
	case pred == 0:
		return c.own(s, n)
	case e.try:
		e.left, e.result = true, busy
		e.send(release)
	case c.flaw.checkFirst && e.phase != recheck:
		e.send(recheck)
		e.pred = 0
	default:
		e.phase = open
	}
	return nil
}

// notice takes the next notice of the watch.
func (c *config) notice(s *state, n int) error {
	e := &s.entries[n]
	created := e.created
	if created {
		e.created = false
	} else {
		e.event = false
	}
	switch {
	case created && c.flaw.checkFirst:
	case !created && c.named(e):
		e.unwatch()
		return c.own(s, n)
	case !created && c.flaw.noSecondLook:
		e.unwatch()
		return c.own(s, n)
	default:
		e.send(check)
	}
	return nil
}

// named reports whether the notice tells that the entry owns the lock.
func (c *config) named(e *entry) bool {
	switch {
	case e.next == 0:
		return false
	case e.next != e.key.lease():
		return c.flaw.anyName
	default:
		return (e.sole || c.flaw.notSole) && (!e.unclear || c.flaw.unsureName)
	}
}

// own makes the entry a holder, unless its lease is over.
func (c *config) own(s *state, n int) error {
	e, p := &s.entries[n], &s.clients[c.clientOf(n)]
	if p.localLeft == 0 {
		c.lose(s, c.clientOf(n), true)
		return nil
	}
	e.phase, e.pred = owned, 0
	switch {
	case e.forfeit, c.anyOrder:
	case !s.there(e), s.items[0].key != e.key:
		return errNotFirst
	}
	return nil
}

// gone is what finding the own key deleted leads to.
func (c *config) gone(s *state, e *entry) {
	c.dropRPC(s, e)
	c.end(s, e, lost)
}

// end ends the attempt, but for a sending of the enqueueing that may arrive yet.
func (c *config) end(s *state, e *entry, how result) {
	if !e.unclear || c.flaw.noLateSweep {
		c.finish(s, e, how)
		return
	}
	e.unwatch()
	e.phase, e.left = sweepWait, true
	c.leave(s, e)
	if e.result == pending {
		e.result = how
	}
}

// leave gives the key back when the attempt is over for its caller, which is
// too early.
func (c *config) leave(s *state, e *entry) {
	if c.flaw.vacateEarly {
		c.vacate(s, e)
	}
}
