package etcdlock

import (
	"context"
	"fmt"
)

var errHeldHere = fmt.Errorf("%w by another goroutine of this process", ErrHeld)

// try takes the name if nobody has it or wants it. What it asks of etcd goes on
// in the background when ctx ends first, and what that brings is for the next in
// line.
func (l *Locker) try(ctx context.Context, name string) (*turn, error) {
	if _, err := l.rest(ctx, name); err != nil {
		return nil, err
	}
	if t := l.relock(name); t != nil {
		return t, nil
	}
	l.stations.mu.Lock()
	s := l.at(name)
	if s.bid != nil || s.hold != nil || s.line.Len() > 0 {
		l.stations.mu.Unlock()
		return nil, errHeldHere
	}
	s.bid = &bid{}
	l.stations.mu.Unlock()

	results := make(chan served)
	work := func() {
		got := s.tried(l.tryOn(ctx, name, nil))
		select {
		case results <- got:
		case <-ctx.Done():
			if got.turn != nil {
				l.letGo(got.turn.finish())
			}
		}
	}
	if !l.session.Spawn(work) { // closed: so is ctx
		s.tried(nil, ErrClosed)
		return nil, ErrClosed
	}
	select {
	case got := <-results:
		return got.turn, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// tried ends the bid of a try, and begins a turn if it has brought the name.
func (s *station) tried(e *entry, err error) served {
	s.l.stations.mu.Lock()
	s.bid = nil
	got := served{err: err}
	if err == nil {
		s.hold = newHold(s, e)
		got.turn = s.begin()
	}
	leaves := s.advance()
	s.l.stations.mu.Unlock()
	s.l.letGo(leaves)
	return got
}

// rest waits until no hold of the name that nobody here uses is on its way
// out, so that a TryLock does not meet what its own process leaves behind. It
// reports whether a hold lingers here, and fails if the name is in use.
func (l *Locker) rest(ctx context.Context, name string) (lingers bool, err error) {
	for {
		l.stations.mu.Lock()
		s := l.stations.byName[name]
		if s == nil {
			l.stations.mu.Unlock()
			return false, nil
		}
		var leaves *hold
		if s.idles() {
			if s.hold.passes() {
				l.stations.mu.Unlock()
				return true, nil
			}
			leaves = s.detach()
		}
		if s.hold != nil || s.bid != nil || s.line.Len() > 0 {
			l.stations.mu.Unlock()
			return false, errHeldHere
		}
		if s.left == nil {
			s.left = make(chan struct{})
		}
		left := s.left
		l.stations.mu.Unlock()
		l.letGo(leaves)
		select {
		case <-left:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
