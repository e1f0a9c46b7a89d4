package etcdlock

import "context"

// awaitAfar waits with many ahead: it watches the one before alone.
func (s *station) awaitAfar(ctx context.Context, e *entry) error {
	mu := &s.l.stations.mu
	var before *neighbour
	mu.Lock()
	if ctx.Err() == nil { // else it was called off, and what the station has is for others
		s.lookAway()
		before, s.before = s.before, nil
	}
	mu.Unlock()
	before, err := e.await(ctx, before)
	mu.Lock()
	defer mu.Unlock()
	if err == nil && ctx.Err() == nil {
		s.before = before
	} else { // failed, or called off: another bid may wait already, for news that this one has taken
		before.end()
	}
	return err
}

// expectedSuccessor returns the lease that stood behind the last exchange, "" if there
// is none to rely on: processes that go on wanting a name stand in the same order
// round after round. An exchange that names somebody who is not there is sent twice.
func (s *station) expectedSuccessor() string {
	s.l.stations.mu.Lock()
	defer s.l.stations.mu.Unlock()
	return s.successor
}

// succeeded records whose the name is after an exchange for the next entry.
func (s *station) succeeded(successor string, next *entry) {
	s.l.stations.mu.Lock()
	defer s.l.stations.mu.Unlock()
	if s.l.stations.byName[s.name] != s {
		s.forgetNeighbours()
		return
	}
	if successor == next.lease.Name() { // nobody is behind
		successor = ""
	}
	s.successor = successor
}

// forgetNeighbours ends the watch of the one before, and names nobody any more. The
// caller holds the mutex.
func (s *station) forgetNeighbours() {
	s.before.end()
	s.before, s.successor = nil, ""
}
