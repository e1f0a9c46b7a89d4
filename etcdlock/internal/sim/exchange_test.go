package sim_test

import "slices"

// canExchange reports whether the entry's client goes on wanting the lock, on
// the same lease.
func (c *config) canExchange(s *state, n int) bool {
	p := &s.clients[c.clientOf(n)]
	return c.exchanges&(1<<c.clientOf(n)) != 0 && (n+1)%c.attempts != 0 && p.alive && p.gen == s.entries[n].gen &&
		s.entries[n+1].phase == idle && !s.entries[n+1].try
}

// carriedBy is the entry that an exchange of the place enqueues.
func (c *config) carriedBy(s *state, it item) *entry {
	for i := range c.entries() {
		if s.entries[i].key == it.key && s.entries[i].rev == it.rev {
			return &s.entries[i+1]
		}
	}
	panic("an exchange of nobody's place")
}

// guessSuccessor returns what the entry believes to be the one behind it: who is, or
// who was last to come, which need not be the same.
func (c *config) guessSuccessor(s *state, e *entry) (guess key) {
	for _, it := range s.queue() {
		if it.rev > e.rev && it.key.client() != e.key.client() && (guess == 0 || c.guessLast) {
			guess = it.key.lease()
		}
	}
	return guess
}

// serveExchange carries an exchange out: the key goes, and next's comes.
func (c *config) serveExchange(s *state, it item, next *entry, successor key) (a answer, rev uint8, pred key) {
	at := s.find(it.key)
	of := func(other item) bool { return other.key.lease() == successor }
	switch {
	case at >= 0 && s.items[at].rev == it.rev && successor > 0 && !slices.ContainsFunc(s.queue(), of) && !c.flaw.blindName:
		return stale, 0, 0
	case at >= 0 && s.items[at].rev == it.rev:
		if next.phase != carried {
			// Its sender has given up for good, which it does when the lease is
			// over only: what lands is swept with that.
			s.remove(at)
			return ok, 0, 0
		}
		c.name(s, it, successor)
		s.remove(at)
		if s.nItems > 0 {
			pred = s.items[s.nItems-1].key
		}
		if pred == 0 {
			next.granted, next.forfeit = true, false
		} else if c.standing&(1<<next.key.client()) != 0 {
			next.watching, next.pred = true, pred
		}
		return ok, s.put(item{key: next.key, gen: next.gen}), pred
	case next.phase == carried && s.find(next.key) >= 0:
		return own, s.items[s.find(next.key)].rev, 0
	default:
		return gone, 0, 0
	}
}

// name puts the lease that an exchange names into the notices of it.
func (c *config) name(s *state, it item, successor key) {
	for i := range c.entries() {
		e := &s.entries[i]
		if e.watching && e.pred == it.key {
			e.next = successor
		}
		if s.nItems < 2 || s.items[1].key.lease() != successor {
			continue
		}
		if e.key == s.items[1].key && (e.rev == s.items[1].rev || e.phase == carried) {
			e.granted, e.forfeit = true, false
		}
	}
}

// exchanged applies the answer to an exchange.
func (c *config) exchanged(s *state, n int, a answer, rev uint8, pred key) error {
	e, next := &s.entries[n], &s.entries[n+1]
	if a == stale {
		e.successor = 0
		e.send(exchange)
		return nil
	}
	e.left = true
	switch a {
	case ok:
		if e.forfeit && e.result == pending {
			return errNotTold
		}
		c.end(s, e, released)
	case own:
		c.end(s, e, released)
		next.sole = false
		if !c.flaw.headOn {
			pred = next.key // who is before it now is not known: that makes it look
		}
	default:
		how := lost
		if e.again {
			how = released
		}
		c.end(s, e, how)
		if !c.flaw.carefree {
			c.requeue(s, next)
			return nil
		}
	}
	next.rev, next.phase = rev, enqueue
	return c.placed(s, n+1, pred)
}
