package etcdlock

import (
	"container/list"
	"context"
	"sync"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// stations are the names that goroutines of this process hold or want. One
// mutex guards all of them: nothing is waited for while it is held.
type stations struct {
	mu     sync.Mutex
	byName map[string]*station // those where anything goes on
}

// station is one name in this process. Its goroutines stand in line here, and
// one contender in etcd, the bid, stands for all of them. What it brings home
// is the hold, which the goroutines then use one after the other.
type station struct {
	l         *Locker
	name      string
	line      list.List     // of *waiter, first come first served
	bid       *bid          // under way in etcd; nil while the hold is here, or wanted by nobody
	hold      *hold         // nil while the name is not held
	turn      *turn         // who uses the hold; nil while it lingers
	view      *view         // of the queue in etcd; nil while nobody needs one
	before    *neighbour    // the process that this one waited behind last, if it watched that one alone
	successor string        // the lease that owned the name after the last exchange, as far as known
	going     *hold         // a former hold whose release is about to be sent; nil most of the time
	leaving   int           // former holds whose release etcd has not answered yet
	left      chan struct{} // closed when leaving goes down; nil while nobody waits for that
}

type waiter struct {
	served chan served // has room for one
	holds  bool        // its context holds other names
}

type served struct {
	turn *turn
	err  error
}

// at returns the station of a name. The caller holds the mutex, and leaves
// the station with something going on, or calls advance.
func (l *Locker) at(name string) *station {
	s := l.stations.byName[name]
	if s == nil {
		if l.stations.byName == nil {
			l.stations.byName = make(map[string]*station)
		}
		s = &station{l: l, name: name}
		l.stations.byName[name] = s
	}
	return s
}

// advance does whatever is to be done next here: hand the hold to the next in
// line, let it linger, part with it, send for it, or call the bid off. The
// caller holds the mutex; it releases the hold returned, if any, without it.
func (s *station) advance() (leaves *hold) {
	if h := s.hold; h != nil && s.turn == nil {
		switch front := s.line.Front(); {
		case front != nil && h.passes():
			s.line.Remove(front).(*waiter).served <- served{turn: s.begin()}
		case front == nil && h.lingers():
			h.linger()
		default:
			leaves = s.detach()
		}
	}
	switch {
	case s.hold != nil:
	case s.bid == nil && s.line.Len() > 0 && s.going == nil:
		s.send()
	case s.bid != nil && s.bid.stop != nil && s.line.Len() == 0:
		s.bid.stop()
		s.bid = nil
	}
	if s.line.Len() == 0 && s.bid == nil && s.hold == nil && s.leaving == 0 {
		s.lookAway()
		s.forgetNeighbours()
		delete(s.l.stations.byName, s.name)
	}
	return leaves
}

// begin starts the next turn of the hold.
func (s *station) begin() *turn {
	h := s.hold
	h.awake()
	h.turns++
	if h.turns > 1 && !h.wanted {
		s.look()
	}
	s.turn = newTurn(h.e, h, h.turns)
	return s.turn
}

// detach ends the hold without releasing it in etcd.
func (s *station) detach() *hold {
	h := s.hold
	s.hold, s.going = nil, h
	s.leaving++
	h.end()
	return h
}

// letGo releases a hold that has left its station, in the background.
func (l *Locker) letGo(h *hold) {
	if h != nil {
		l.session.Spawn(func() { _ = h.release() })
	}
}

// join takes the name, waiting in line for it. holds tells that the caller holds
// others meanwhile.
func (l *Locker) join(ctx context.Context, name string, holds bool) (*turn, error) {
	w := &waiter{served: make(chan served, 1), holds: holds}
	l.stations.mu.Lock()
	s := l.at(name)
	place := s.line.PushBack(w)
	leaves := s.advance()
	l.stations.mu.Unlock()
	l.letGo(leaves)

	select {
	case got := <-w.served:
		return got.turn, got.err
	case <-ctx.Done():
	}
	l.stations.mu.Lock()
	select {
	case got := <-w.served:
		l.stations.mu.Unlock()
		if got.turn != nil { // it came while ctx ended: hand it on
			l.letGo(got.turn.finish())
		}
		return nil, ctx.Err()
	default:
	}
	s.line.Remove(place)
	leaves = s.advance()
	l.stations.mu.Unlock()
	l.letGo(leaves)
	return nil, ctx.Err()
}

// relock takes a name whose hold lingers here, and returns nil if none does.
func (l *Locker) relock(name string) *turn {
	l.stations.mu.Lock()
	defer l.stations.mu.Unlock()
	if s := l.stations.byName[name]; s != nil && s.idles() && s.hold.passes() {
		return s.begin()
	}
	return nil
}

// idles reports whether the hold lingers.
func (s *station) idles() bool { return s.hold != nil && s.turn == nil }

// rush ends the lingering of all holds. The Locker is being closed, so none
// lingers from then on.
func (l *Locker) rush() {
	l.stations.mu.Lock()
	defer l.stations.mu.Unlock()
	for _, s := range l.stations.byName {
		if s.idles() {
			l.letGo(s.detach())
		}
	}
}

// bereave lets the goroutines in line go on whose hold was on a lease that has
// ended.
func (l *Locker) bereave(s *session.Lease) {
	var lost []*hold
	l.stations.mu.Lock()
	for _, st := range l.stations.byName {
		if st.hold != nil && st.hold.e.lease == s {
			lost = append(lost, st.hold)
		}
	}
	l.stations.mu.Unlock()
	for _, h := range lost {
		h.gone()
	}
}
