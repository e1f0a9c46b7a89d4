package sim_test

import (
	"errors"
	"fmt"
)

// The promises that a step can break.
var (
	errTwoHolders = errors.New("two hold the lock at the same time")
	errNotFirst   = errors.New("one holds the lock who is not the first of the queue")
	errLeaked     = errors.New("a key stays in the queue that nobody looks after")
	errNotTold    = errors.New("a hold that was lost was given back as if it were not")
	errStuck      = errors.New("nothing that must happen leads to the end")
	errInFront    = errors.New("a key that its process has given up stays in front of others until nothing travels any more")
	errUnnoticed  = errors.New("a lost hold is not noticed while it lasts")
)

// apply makes the step. It returns the promise that is broken after it.
func (c *config) apply(s *state, st step) error {
	n := int(st.n)
	if st.op >= timeout && st.op != drift {
		s.faults--
	}
	var err error
	switch st.op {
	case begin, deliver, receive, retry, register, notice, leave, settle, seen, guard, giveUp, timeout, loseReply, breakWatch:
		err = c.applyEntry(s, n, st.op)
	case land:
		l := s.late[n]
		s.dropLate(n)
		if l.kind == exchange {
			c.serveExchange(s, l.item, c.carriedBy(s, l.item), l.successor)
		} else {
			c.serve(s, l.kind, l.item, l.try)
		}
	case vanish:
		s.dropLate(n)
	case deleteKey:
		s.forfeit(s.items[n])
		s.remove(n)
	case tick:
		s.ticks--
		for i := range c.running {
			p := &s.clients[i]
			p.serverLeft, p.localLeft = less(p.serverLeft), less(p.localLeft)
			p.grow()
		}
	case drift:
		s.drifts--
		s.clients[n].serverLeft = less(s.clients[n].serverLeft)
	default:
		c.applyClient(s, n, st.op)
	}
	if err != nil {
		return err
	}
	return c.judge(s)
}

func less(n uint8) uint8 {
	if n == 0 {
		return 0
	}
	return n - 1
}

// grow makes an answer that is under way older.
func (p *client) grow() {
	if p.renewal != nowhere && p.age < ttl {
		p.age++
	}
}

// forfeit notes that a key is taken away by hand: its owner, if the server has
// made it that, keeps others out no longer, and must notice.
func (s *state) forfeit(it item) {
	for i := range s.entries {
		e := &s.entries[i]
		same := e.key == it.key && (e.rev == it.rev || e.phase == carried || e.rpc == answered && e.ansRev == it.rev)
		if same && e.granted {
			e.forfeit = true
		}
	}
}

func (c *config) applyClient(s *state, n int, o op) {
	p := &s.clients[n]
	switch o {
	case crash:
		p.dead = true
		for i := range c.entries() {
			if e := &s.entries[i]; c.clientOf(i) == n {
				c.dropRPC(s, e)
				e.unwatch()
			}
		}
	case expireDead:
		for gen := range uint8(8) {
			s.endLease(n, gen)
		}
	case expireThere:
		s.endLease(n, p.gen)
	case revoke:
		for _, it := range s.queue() {
			if it.key.client() == n && it.gen == p.gen {
				s.forfeit(it)
			}
		}
		s.endLease(n, p.gen)
	case sentinel:
		c.lose(s, n, false)
	case expireHere, lapse:
		c.lose(s, n, true)
	case retire:
		for gen := range uint8(8) {
			if p.current()&(1<<gen) == 0 {
				s.endLease(n, gen)
			}
		}
	case grant:
		p.gen++
		p.taken, p.spent = 0, 0
		p.alive, p.onServer = true, p.onServer|1<<p.gen
		p.serverLeft, p.localLeft, p.renewal, p.renewed, p.age = ttl, c.fresh(), nowhere, false, 0
	case renew:
		p.renewal, p.age = sent, 0
	case renewThere:
		p.renewal, p.renewed = answered, p.has(p.gen)
		if p.renewed {
			p.serverLeft = ttl
		}
	case renewHere:
		age := p.age
		p.renewal, p.age = nowhere, 0
		switch {
		case !p.renewed:
			c.lose(s, n, false)
		case c.flaw.fromReply:
			p.localLeft = c.fresh()
		case age < c.fresh():
			p.localLeft = c.fresh() - age
		default:
			p.localLeft = 0
		}
	case renewLost:
		p.renewal, p.age = nowhere, 0
	default:
		panic(fmt.Sprint("no such step of a client: ", o))
	}
	if p.renewal == nowhere {
		p.renewed = false
	}
}

// lose ends the client's session, and what is on it. faded says that etcd was
// out of reach, rather than that somebody took the lease away.
func (c *config) lose(s *state, n int, faded bool) {
	p := &s.clients[n]
	p.alive, p.renewal, p.renewed, p.age = false, nowhere, false, 0
	for i := range c.entries() {
		e := &s.entries[i]
		if c.clientOf(i) != n || e.gen != p.gen {
			continue
		}
		switch {
		case e.phase == idle || e.phase == done:
		case e.phase <= enqueueCheck, e.phase == carried, e.waits() && faded:
			c.requeue(s, e)
		case e.waits(), e.phase == owned:
			c.finish(s, e, lost)
		default:
			c.finish(s, e, expired)
		}
	}
}

// requeue starts the attempt again.
func (c *config) requeue(s *state, e *entry) {
	c.dropRPC(s, e)
	c.vacate(s, e)
	*e = entry{try: e.try}
}

// dropRPC leaves the entry's request, if there is one, to the network.
func (c *config) dropRPC(s *state, e *entry) {
	if e.rpc == sent && s.nLate < maxLate {
		l := late{item: item{key: e.key, gen: e.gen, rev: e.rev}, try: e.try}
		switch e.phase {
		case enqueue:
			l.kind, l.rev = enqueue, 0
			s.sendLate(l)
		case release, exchange:
			l.kind, l.try, l.successor = e.phase, false, e.successor
			s.sendLate(l)
		case sweep, lastSweep:
			l.kind, l.try, l.rev = sweep, false, 0
			s.sendLate(l)
		}
	}
	e.rpc, e.ans, e.ansRev, e.ansKey = nowhere, none, 0, 0
}

// finish ends the attempt; nothing of it goes on.
func (c *config) finish(s *state, e *entry, how result) {
	c.dropRPC(s, e)
	e.unwatch()
	c.vacate(s, e)
	e.phase, e.left = done, true
	if e.result == pending {
		e.result = how
	}
}

// vacate makes the entry's key free, unless something may arrive yet that knows
// no revision: its enqueueing or a sweep.
func (c *config) vacate(s *state, e *entry) {
	p := &s.clients[e.key.client()]
	if e.key == 0 || e.gen != p.gen {
		return
	}
	number := uint8(1) << (e.key.number() - 1)
	switch swept := e.phase == lastSweep; {
	case !e.unclear, swept && (!e.stray || c.flaw.vacateSwept), c.flaw.vacateEarly:
		p.taken &^= number
	case swept: // by this one, and maybe by one that arrives yet
		p.taken &^= number
		p.spent |= number
	}
}

func (e *entry) unwatch() { e.watching, e.created, e.event, e.next = false, false, false, 0 }

// judge checks what must hold in every state.
func (c *config) judge(s *state) error {
	holders := 0
	for i := range c.entries() {
		p := &s.clients[c.clientOf(i)]
		if e := &s.entries[i]; e.phase == owned && !e.forfeit && !p.dead && p.localLeft > 0 {
			holders++
		}
	}
	if holders > 1 {
		return errTwoHolders
	}
	for _, it := range s.queue() {
		p := &s.clients[it.key.client()]
		if p.dead || !p.alive || it.gen != p.gen {
			continue // goes with its lease
		}
		tended := false
		for i := range c.entries() {
			e := &s.entries[i]
			tended = tended || e.key == it.key && e.phase != done
		}
		if !tended {
			return errLeaked
		}
	}
	return nil
}
