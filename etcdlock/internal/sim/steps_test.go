package sim_test

import "fmt"

// config says who takes part and what may go wrong.
type config struct {
	clients, attempts int
	tries             uint16 // set of the entries that do not wait
	// How often something of the kind may happen.
	faults    uint8 // lost or late messages, broken watches, and the deeds of allow
	patience  uint8 // callers who give up
	ticks     uint8 // how far the clocks go
	running   int   // how many clients' leases run with the clocks
	drifts    uint8 // ticks by which a client's clock lags behind
	allow     map[op]bool
	flaw      flaw
	slow      uint16 // set of the entries that a simulation skips now and then
	exchanges uint16 // set of the clients whose second entry enqueues as their first one leaves
	standing  uint16 // set of the clients whose watch on who is before stands when they exchange
	guessLast bool   // an exchange names who came last, not who came next
	// anyOrder does not mind who owns the lock, as long as it is one.
	anyOrder bool
}

func (c *config) entries() int { return c.clients * c.attempts }

// flaw switches steps of the protocol off.
type flaw struct {
	noOwnKey      bool // check does not ask whether the own key is there
	noSecondLook  bool // once the predecessor has gone, no check who is before now
	checkFirst    bool // check, then watch, and no check once the watch stands
	noGuard       bool // release deletes the key whatever its revision
	vacateEarly   bool // a key is free when its attempt is over, whatever may arrive yet
	vacateSwept   bool // a key is free once it is swept last, whatever sweeps may arrive yet
	noSweep       bool // who gives up an enqueueing deletes nothing
	oneSweep      bool // who gives up an enqueueing deletes once
	noLateWatch   bool // nobody watches for what arrives after a sweep
	noLateSweep   bool // an enqueueing sent twice is not swept after once it was released
	noOwnWatch    bool // nobody looks after the own key of a hold
	keepAfterLoss bool // a session that is lost is not revoked
	fromReply     bool // validity is counted from when the answer arrives
	noMargin      bool // no margin is taken off the validity
	carefree      bool // an exchange is taken for done whatever its second sending finds
	blindName     bool // an exchange names its successor without asking whether that is in the queue
	anyName       bool // each waiter takes a name for its own
	notSole       bool // a name of its lease is its own although the lease may have another key there
	unsureName    bool // the same although its own may have been put there again
	headOn        bool // an exchange found done means that nobody is before
}

type op uint8

const (
	// What always happens in the end, and brings things forward.
	begin      op = iota
	deliver       // the server carries a request out
	receive       // the answer arrives
	retry         // after an error or a broken watch
	register      // the server makes the watch
	notice        // a notice of the watch arrives
	leave         // the critical section is over
	settle        // nothing travels any more: the last sweep
	seen          // the watch after a sweep tells that the key is there
	land          // a late request arrives
	vanish        // a late request never arrives
	guard         // the watch on the own key tells that it is gone
	sentinel      // the watch on the session's key tells that it is gone
	expireHere    // the client finds its session too old
	retire        // the server carries out the revocation of a lost session
	grant         // a new session
	expireDead    // the server ends the lease of a dead client

	lastGood = expireDead
)

const (
	// What may happen.
	giveUp op = iota + lastGood + 1
	tick
	expireThere // the server ends a lease whose time is over
	renew       // a keepalive is sent
	renewThere  // the server carries it out
	renewHere   // the answer arrives

	// What goes wrong.
	timeout // the sender gives up on a request that still travels
	loseReply
	breakWatch
	renewLost
	drift
	deleteKey // by hand
	revoke    // by hand
	lapse     // a session is lost because etcd was out of reach
	crash
	opEnd
)

func (o op) String() string {
	return [opEnd]string{
		"begins", "server carries out", "gets the answer", "tries again", "server makes the watch",
		"watch tells", "leaves", "sweeps last", "watch tells of a key to sweep", "late request lands", "late request vanishes",
		"watch on own key tells", "watch on session tells", "finds its lease too old", "server revokes old lease",
		"gets a new lease", "server ends a dead client's lease", "gives up", "a tick", "server ends a lease",
		"sends a keepalive", "server renews", "gets the renewal", "times out, the request travels on",
		"loses the answer", "watch breaks", "renewal is lost", "clock lags a tick", "key is deleted by hand", "lease is revoked by hand",
		"lease lapses here", "crashes",
	}[o]
}

// step is one thing that happens: to an entry, a client, a late request or a
// key in the queue, by what op is about.
type step struct {
	op op
	n  uint8
}

func (st step) String() string { return fmt.Sprintf("%v [%d]", st.op, st.n) }

// steps lists what can happen next, what brings things forward first.
func (c *config) steps(s *state, to []step) []step {
	add := func(o op, n int) { to = append(to, step{o, uint8(n)}) }
	for i := range c.entries() {
		e, p := &s.entries[i], &s.clients[c.clientOf(i)]
		if p.dead {
			continue
		}
		switch {
		case e.phase == idle && p.alive && (i%c.attempts == 0 || s.entries[i-1].left):
			add(begin, i)
		case e.rpc == sent:
			add(deliver, i)
		case e.rpc == answered:
			add(receive, i)
		}
		switch e.phase {
		case enqueueError, releaseError, exchangeError, sweepError, lastSweepError, backoff:
			add(retry, i)
		case open:
			add(register, i)
		case wait:
			if e.created || e.event {
				add(notice, i)
			}
		case owned:
			add(leave, i)
		case sweepWait:
			if !c.travelling(s, e.key) {
				add(settle, i)
			}
			if s.find(e.key) >= 0 && !c.flaw.noLateWatch {
				add(seen, i)
			}
		}
		if e.waits() || e.phase == owned {
			if !s.there(e) && !c.flaw.noOwnWatch {
				add(guard, i)
			}
		}
	}
	for i := range int(s.nLate) {
		add(land, i)
		add(vanish, i)
	}
	for i := range c.clients {
		p := &s.clients[i]
		switch {
		case p.dead:
			if p.onServer != 0 {
				add(expireDead, i)
			}
			continue
		case p.alive && !p.has(p.gen):
			add(sentinel, i)
		case !p.alive:
			add(grant, i)
		}
		if p.alive && p.localLeft == 0 {
			add(expireHere, i)
		}
		if old := p.onServer &^ p.current(); old != 0 && !c.flaw.keepAfterLoss {
			add(retire, i)
		}
	}
	return c.risks(s, to)
}

// current is the set with the lease that the client believes in.
func (p *client) current() uint8 {
	if p.alive {
		return 1 << p.gen
	}
	return 0
}

// risks lists what may happen but need not.
func (c *config) risks(s *state, to []step) []step {
	add := func(o op, n int) {
		if o < timeout || c.allow == nil || c.allow[o] {
			to = append(to, step{o, uint8(n)})
		}
	}
	for i := range c.entries() {
		e := &s.entries[i]
		if s.clients[c.clientOf(i)].dead {
			continue
		}
		if s.patience > 0 && (e.waits() || e.phase == enqueueError) {
			add(giveUp, i)
		}
		if s.faults > 0 {
			if e.rpc == sent && s.nLate < maxLate {
				add(timeout, i)
			}
			if e.rpc == answered {
				add(loseReply, i)
			}
			if e.phase == wait || e.phase == open {
				add(breakWatch, i)
			}
		}
	}
	if s.faults > 0 {
		for i := range s.queue() {
			add(deleteKey, i)
		}
	}
	for i := range c.clients {
		p := &s.clients[i]
		if p.dead {
			continue
		}
		if s.faults > 0 {
			add(crash, i)
			if p.alive {
				add(lapse, i)
				if p.has(p.gen) {
					add(revoke, i)
				}
			}
		}
		if s.drifts > 0 && p.alive && i < c.running {
			add(drift, i)
		}
		if s.faults > 0 && p.renewal != nowhere {
			add(renewLost, i)
		}
		c.renewals(p, i, add)
	}
	if s.ticks > 0 {
		add(tick, 0)
	}
	return to
}

func (c *config) renewals(p *client, i int, add func(op, int)) {
	if p.alive && p.has(p.gen) && p.serverLeft == 0 {
		add(expireThere, i)
	}
	switch {
	case !p.alive || i >= c.running:
	case p.renewal == nowhere && p.localLeft < c.fresh():
		add(renew, i)
	case p.renewal == sent:
		add(renewThere, i)
	case p.renewal == answered:
		add(renewHere, i)
	}
}

// fresh is the validity that a client counts from a request on.
func (c *config) fresh() uint8 {
	if c.flaw.noMargin {
		return ttl
	}
	return ttl - margin
}

func (c *config) clientOf(entry int) int { return entry / c.attempts }

// travelling reports whether something that could put the key is under way.
func (c *config) travelling(s *state, k key) bool {
	for _, l := range s.late[:s.nLate] {
		if l.kind == enqueue && l.key == k {
			return true
		}
	}
	return false
}

// waits reports whether the entry is in the queue and not at its end, as far
// as it knows.
func (e *entry) waits() bool { return e.phase >= open && e.phase <= recheck }

func (c *config) start() *state {
	s := &state{faults: c.faults, patience: c.patience, ticks: c.ticks, drifts: c.drifts}
	for i := range c.clients {
		p := &s.clients[i]
		p.alive, p.onServer, p.serverLeft, p.localLeft = true, 1, ttl, c.fresh()
	}
	for i := range c.entries() {
		s.entries[i].try = c.tries&(1<<i) != 0
	}
	return s
}

// inFront reports whether a key stands in the queue that its living process has
// given up or back: others may wait behind it.
func (c *config) inFront(s *state) bool {
	for i := range c.entries() {
		e, p := &s.entries[i], &s.clients[c.clientOf(i)]
		if e.phase >= release && e.phase < done && e.phase != carried && !p.dead && s.find(e.key) >= 0 {
			return true
		}
	}
	return false
}

// over reports whether all that wanted the lock are through, and nothing is
// under way.
func (c *config) over(s *state) bool {
	if s.nItems > 0 || s.nLate > 0 {
		return false
	}
	for i := range c.entries() {
		if s.entries[i].phase != done && !s.clients[c.clientOf(i)].dead {
			return false
		}
	}
	return true
}
