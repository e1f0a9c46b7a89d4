package sim_test

import (
	"math/bits"
	"slices"
)

const (
	maxClients  = 5
	maxAttempts = 3
	maxEntries  = maxClients * maxAttempts
	maxItems    = 24
	maxLate     = 8

	ttl    = 3 // ticks
	margin = 1
)

// key is a key in etcd: the number of the client, the lease, and which of its
// keys, from 1 on. 0 is no key.
type key uint16

func newKey(client int, gen, n uint8) key { return key(client)<<8 | key(gen)<<4 | key(n) }

func (k key) client() int { return int(k >> 8) }

func (k key) number() uint8 { return uint8(k & 15) }

// lease is what all keys of the same lease have in common.
func (k key) lease() key { return k &^ 15 }

// item is a key in the queue.
type item struct {
	key key
	gen uint8 // which of its client's leases it lives on
	rev uint8 // create revision
}

// late is a request that still travels after its sender has given up on it.
type late struct {
	kind phase // the phase whose request it is
	try  bool
	item
	successor key // the lease that an exchange names
}

// answer is what the server says.
type answer uint8

const (
	none       answer = iota
	ok                // done; for a check and an enqueueing: pred tells who is before
	own               // the key is there already
	held              // the queue is not empty, and the entry was not to wait
	gone              // the key is not there
	leaseEnded        // the lease is not there
	stale             // the key is there, and none of the successor's is
)

// result is how an attempt ended.
type result uint8

const (
	pending result = iota
	released
	busy    // ErrHeld
	lost    // ErrLost
	gaveUp  // the caller's context ended
	expired // ErrUnavailable: the key goes with the lease
)

type phase uint8

const (
	idle phase = iota
	enqueue
	enqueueError
	enqueueCheck // an earlier sending got through: who is before it?
	open         // the watch is asked for
	wait         // the watch stands, or is about to
	check        // with the watch standing
	backoff      // the watch broke
	recheck      // without a watch
	owned
	release
	releaseError
	exchange // a release that enqueues the client's next entry too
	exchangeError
	carried // that next entry, until the exchange is answered
	sweep   // abandon's first delete
	sweepError
	sweepWait // for what may still arrive
	lastSweep
	lastSweepError
	done
)

// travels says how far the request of the phase has come.
type travels uint8

const (
	nowhere travels = iota
	sent
	answered
)

// entry is one attempt to take the lock.
type entry struct {
	phase  phase
	try    bool // TryLock: enqueue only into an empty queue
	key    key
	gen    uint8
	rev    uint8
	pred   key
	rpc    travels
	ans    answer
	ansRev uint8
	ansKey key

	watching bool // the server has the watch on pred
	created  bool // the notice that it stands is under way
	event    bool // the notice that pred was deleted is under way
	next     key  // the lease that the exchange which deleted it named

	successor key  // the lease that its exchange names
	sole      bool // no other key of its lease can be in the queue

	unclear bool // a sending of the enqueueing had no answer
	stray   bool // a sweep had no answer
	again   bool // the release was sent before
	left    bool // the next attempt of this client may begin
	result  result

	// What only the referee knows: the server has let it own the lock, and
	// somebody took that away by hand.
	granted, forfeit bool
}

// client is one process with its session.
type client struct {
	dead     bool
	alive    bool // its session, as it believes
	gen      uint8
	onServer uint8 // set of its leases that the server has
	taken    uint8 // set of the numbers of keys on this lease that may be in the queue, or come to be
	spent    uint8 // set of those that will not be, and are not drawn again
	// Ticks until the server may end the lease and until the client thinks it
	// over; and the keepalive, with its age.
	serverLeft, localLeft uint8
	renewal               travels
	renewed               bool
	age                   uint8
}

// draw returns a key that is free, the lowest one, and takes it.
func (p *client) draw(client int) key {
	n := uint8(bits.TrailingZeros8(^(p.taken | p.spent)))
	p.taken |= 1 << n
	return newKey(client, p.gen, n+1)
}

func (p *client) has(gen uint8) bool { return p.onServer&(1<<gen) != 0 }

type state struct {
	rev     uint8
	nItems  uint8
	nLate   uint8
	items   [maxItems]item // by create revision
	late    [maxLate]late
	entries [maxEntries]entry
	clients [maxClients]client

	// What may still go wrong, counted down.
	faults, patience, ticks, drifts uint8
}

func (s *state) queue() []item { return s.items[:s.nItems] }

func (s *state) find(k key) int {
	return slices.IndexFunc(s.queue(), func(i item) bool { return i.key == k })
}

// there reports whether the entry's key is in the queue, as the entry put it.
func (s *state) there(e *entry) bool {
	i := s.find(e.key)
	return i >= 0 && s.items[i].rev == e.rev
}

func (s *state) put(i item) uint8 {
	s.rev++
	i.rev = s.rev
	s.items[s.nItems] = i
	s.nItems++
	return s.rev
}

// remove deletes the i-th key and tells who watches it.
func (s *state) remove(i int) {
	k := s.items[i].key
	copy(s.items[i:], s.items[i+1:s.nItems])
	s.nItems--
	s.items[s.nItems] = item{}
	for n := range s.entries {
		if e := &s.entries[n]; e.watching && e.pred == k {
			e.event = true
		}
	}
}

// endLease removes a lease from the server, with its keys.
func (s *state) endLease(c int, gen uint8) {
	s.clients[c].onServer &^= 1 << gen
	for i := int(s.nItems) - 1; i >= 0; i-- {
		if it := s.items[i]; it.key.client() == c && it.gen == gen {
			s.remove(i)
		}
	}
}

func (s *state) sendLate(l late) {
	s.late[s.nLate] = l
	s.nLate++
	slices.SortFunc(s.late[:s.nLate], func(a, b late) int {
		return int(a.kind)<<24 + int(a.key)<<8 + int(a.rev) - int(b.kind)<<24 - int(b.key)<<8 - int(b.rev)
	})
}

func (s *state) dropLate(i int) {
	copy(s.late[i:], s.late[i+1:s.nLate])
	s.nLate--
	s.late[s.nLate] = late{}
}

// appendTo writes the state for comparing: what is equal behaves the same.
// Revisions count by their order only.
func (s *state) appendTo(b []byte, c *config) []byte {
	var seen [256]bool
	for _, it := range s.queue() {
		seen[it.rev] = true
	}
	for i := range c.entries() {
		seen[s.entries[i].rev], seen[s.entries[i].ansRev] = true, true
	}
	for _, l := range s.late[:s.nLate] {
		seen[l.rev] = true
	}
	seen[0] = false
	var rank [256]uint8
	next := uint8(1)
	for r := range int(s.rev) + 1 {
		if seen[r] {
			rank[r] = next
			next++
		}
	}
	b = append(b, s.faults, s.patience, s.ticks, s.drifts, s.nItems, s.nLate)
	for _, it := range s.queue() {
		b = append(b, uint8(it.key>>8), uint8(it.key), it.gen, rank[it.rev])
	}
	for _, l := range s.late[:s.nLate] {
		b = append(b, uint8(l.kind), flags(l.try), uint8(l.key>>8), uint8(l.key), l.gen, rank[l.rev],
			uint8(l.successor>>8), uint8(l.successor))
	}
	for i := range c.entries() {
		e := &s.entries[i]
		b = append(
			b, uint8(e.phase), uint8(e.key>>8), uint8(e.key), e.gen, rank[e.rev], uint8(e.pred>>8), uint8(e.pred), uint8(e.rpc),
			uint8(e.ans), rank[e.ansRev], uint8(e.ansKey>>8), uint8(e.ansKey), uint8(e.result),
			flags(e.watching, e.created, e.event, e.unclear, e.again, e.left, e.granted, e.forfeit),
			uint8(e.next>>8), uint8(e.next), uint8(e.successor>>8), uint8(e.successor), flags(e.stray, e.sole),
		)
	}
	for i := range c.clients {
		p := &s.clients[i]
		b = append(
			b, p.gen, p.onServer, p.taken, p.spent, p.serverLeft, p.localLeft, uint8(p.renewal), p.age,
			flags(p.dead, p.alive, p.renewed),
		)
	}
	return b
}

func flags(set ...bool) (b uint8) {
	for i, f := range set {
		if f {
			b |= 1 << i
		}
	}
	return b
}
