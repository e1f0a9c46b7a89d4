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

// trusted is for how many exchanges in a row whoever stands behind is taken to
// be the same as before, as long as nothing is seen to change: to find it out,
// etcd reads all of the queue while the next waits for its turn.
const trusted = 15

// heir is the place that is believed to be the one behind a hold's.
type heir struct {
	place
	sure bool // enough not to ask
}

func (s *station) heir(e *entry) heir {
	s.l.stations.mu.Lock()
	defer s.l.stations.mu.Unlock()
	if s.behind != nil {
		if p := s.behind.place.Load(); p != nil && p.rev > e.rev {
			return heir{*p, s.trust > 0}
		}
	}
	return heir{}
}

// succeeded takes in whose the name is after an exchange for the next entry: in a
// long queue whoever stood behind the one will stand behind the other too.
func (s *station) succeeded(successor string, next *entry) {
	s.l.stations.mu.Lock()
	defer s.l.stations.mu.Unlock()
	if next.ahead <= nearEnough || s.l.stations.byName[s.name] != s {
		s.forgetNeighbours()
		return
	}
	if !s.behind.watches(successor) {
		s.behind.end()
		s.behind = s.l.watchNeighbour(successor)
	}
	switch {
	case s.length != next.ahead: // somebody has come or gone
		s.length, s.trust = next.ahead, 0
	case s.trust == 0:
		s.trust = trusted
	default:
		s.trust--
	}
}

// forgetNeighbours ends the watches on them. The caller holds the mutex.
func (s *station) forgetNeighbours() {
	s.before.end()
	s.behind.end()
	s.before, s.behind, s.trust = nil, nil, 0
}
