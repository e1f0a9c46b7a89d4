package etcdlock

import (
	"context"
	"errors"
	"time"
)

const (
	// A hold is taken anew after so many turns or so long, so that its token
	// moves on and the number of a turn stays small.
	maxTurnsOfHold = 1 << 20
	maxAgeOfHold   = time.Minute
	// watchDelay is how old a hold grows before it is watched without need, so
	// that a lock held for a moment costs no watch.
	watchDelay = 100 * time.Millisecond
)

// hold is a name that this process owns in etcd, and that its goroutines use
// one after the other. stations.mu guards what changes in it.
//
// Nobody outside of the process matters to a hold until somebody queues behind
// it. The hold learns of that from the request that confirmed it, or from a
// watch, which also notices that its key is deleted. From then on it stays for
// a few turns or a moment at most.
type hold struct {
	s        *station
	e        *entry
	begun    time.Time
	turns    int64       // begun so far
	retired  bool        // nobody else may use it
	answered bool        // its key says that it is in use, or is about to
	wanted   bool        // somebody queues behind
	since    time.Time   // when that became known
	before   int64       // turns begun by then
	alone    bool        // it was known once that nobody queues behind
	guard    *time.Timer // starts the watch of a hold that is simply held on to
	idle     *time.Timer // ends the lingering; nil before the first time
	idling   bool
	until    time.Time // of the lingering
}

func newHold(s *station, e *entry) *hold {
	e.reached()
	h := &hold{s: s, e: e, begun: time.Now(), alone: !e.waited}
	if e.behind {
		h.want()
	}
	if v := s.view; v != nil {
		if at, known := v.find(e); known && at >= 0 && at < len(v.places)-1 {
			h.want()
		}
	}
	if !h.wanted {
		s.forgetNeighbours()
	}
	h.guard = time.AfterFunc(watchDelay, func() {
		s.l.stations.mu.Lock()
		defer s.l.stations.mu.Unlock()
		if h.guard = nil; s.hold == h {
			s.look()
		}
	})
	e.hold.Store(h)
	if e.ctx.Err() != nil { // before that: whoever ended it knew of no hold
		s.l.session.Spawn(h.gone)
	}
	return h
}

// want notes that somebody queues behind.
func (h *hold) want() {
	if !h.wanted {
		h.wanted, h.since, h.before = true, time.Now(), h.turns
	}
}

// unawaited reports whether the user of the hold has to wait until it is released,
// because nobody else does. The asker has gone with the answer, and may ask
// again once it is.
func (h *hold) unawaited() bool { return !h.wanted || h.answered }

// passes reports whether the hold may be used for another turn.
func (h *hold) passes() bool {
	if h.retired || !h.e.lease.Alive() || h.e.ctx.Err() != nil {
		return false
	}
	if h.turns == 0 {
		return true
	}
	if h.turns >= maxTurnsOfHold || time.Since(h.begun) >= maxAgeOfHold {
		return false
	}
	return !h.wanted || h.turns-h.before < int64(h.s.l.maxTurns) && time.Since(h.since) < h.s.l.maxHold
}

// lingers reports whether the hold may stay although nobody uses it. One that
// others had to leave first does not stay before it is certain that none of
// them is back: where processes compete, every wait would be longer by that.
func (h *hold) lingers() bool {
	l := h.s.l
	return l.linger > 0 && h.alone && !h.wanted && l.closing.Err() == nil && h.passes()
}

// linger starts the time for which the hold stays, if that is not running.
func (h *hold) linger() {
	if h.idling {
		return
	}
	d := h.s.l.linger
	h.idling, h.until = true, time.Now().Add(d)
	if h.idle == nil {
		h.idle = time.AfterFunc(d, h.idled)
	} else {
		h.idle.Reset(d)
	}
	h.s.look()
}

// awake ends the lingering because the hold is used again.
func (h *hold) awake() {
	if h.idling {
		h.idling = false
		h.idle.Stop()
	}
}

// idled parts with a hold that has lingered for its time. The timer may have
// fired just before the hold was used and left again.
func (h *hold) idled() {
	s := h.s
	s.l.stations.mu.Lock()
	var leaves *hold
	if s.hold == h && h.idling && !time.Now().Before(h.until) {
		leaves = s.detach()
	}
	s.l.stations.mu.Unlock()
	s.l.letGo(leaves)
}

// gone lets the goroutines in line go on when the hold is lost: it excludes
// nobody any more, and must not keep them waiting until its user notices.
func (h *hold) gone() {
	s := h.s
	s.l.stations.mu.Lock()
	if s.hold != h || !errors.Is(context.Cause(h.e.ctx), ErrLost) {
		s.l.stations.mu.Unlock()
		return
	}
	t := s.turn
	s.hold, s.turn = nil, nil
	h.end()
	s.advance()
	var owner *Lock
	if t != nil {
		owner = t.owner
	}
	s.l.stations.mu.Unlock()
	if owner != nil {
		s.l.leave(owner) // Close need not wait for what is not held
	}
	s.l.hooks.lost(s.name, context.Cause(h.e.ctx))
}

// end ends the hold's context, unless it was lost, and all that looks after it.
func (h *hold) end() {
	if h.guard != nil {
		h.guard.Stop()
	}
	h.awake()
	h.e.end()
}

// release takes the key of a hold that has left its station out of the queue,
// and puts one for those in line to its end.
func (h *hold) release() error {
	s := h.s
	answered := func() {
		s.l.stations.mu.Lock()
		s.leaving--
		if s.left != nil {
			close(s.left)
			s.left = nil
		}
		leaves := s.advance()
		s.l.stations.mu.Unlock()
		s.l.letGo(leaves)
	}
	b := s.succeed(h)
	if b == nil {
		return h.e.release(answered)
	}
	next := s.l.newEntry(s.name, h.e.lease)
	owner, released, queued := h.e.exchange(next, s.expectedSuccessor(), answered)
	if queued == nil {
		s.succeeded(owner, next)
	}
	if !s.l.session.Spawn(func() { s.pursue(b, next, queued) }) { // closed
		b.stop()
	}
	return released
}

// regard takes in what a picture of the queue says about the hold. It returns
// the hold if it is to be released now.
func (h *hold) regard(v *view) (leaves *hold) {
	at, known := v.find(h.e)
	switch {
	case !known:
		return nil
	case at < 0:
		h.e.deleted()
		return nil
	case at < len(v.places)-1:
		h.want()
	default:
		h.alone = true
	}
	if leaves = h.s.advance(); leaves == nil {
		h.answer(v.places[at+1:])
	}
	return leaves
}
