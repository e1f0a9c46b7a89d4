package etcdlock

import "context"

// awaitAfar waits with many ahead: it watches its neighbours alone.
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

// heir returns the place that is believed to be the one behind the entry's.
func (s *station) heir(e *entry) place {
	s.l.stations.mu.Lock()
	defer s.l.stations.mu.Unlock()
	if s.behind != nil {
		if p := s.behind.place.Load(); p != nil && p.rev > e.rev {
			return *p
		}
	}
	return place{}
}

// succeeded takes in whose the name is after an exchange for the next entry: in a
// long queue whoever stood behind the one will stand behind the other too.
func (s *station) succeeded(successor string, next *entry) {
	s.l.stations.mu.Lock()
	defer s.l.stations.mu.Unlock()
	switch {
	case next.ahead <= nearEnough || s.l.stations.byName[s.name] != s:
		s.forgetNeighbours()
	case !s.behind.watches(successor):
		s.behind.end()
		s.behind = s.l.watchNeighbour(successor)
	}
}

// forgetNeighbours ends the watches on them. The caller holds the mutex.
func (s *station) forgetNeighbours() {
	s.before.end()
	s.behind.end()
	s.before, s.behind = nil, nil
}
