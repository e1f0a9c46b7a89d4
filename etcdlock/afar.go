package etcdlock

import (
	"context"
	"time"
)

// awaitAfar waits with many ahead, or in a steady queue: it watches the one before
// alone.
func (s *station) awaitAfar(ctx context.Context, e *entry) error {
	mu := &s.l.stations.mu
	var before *neighbour
	mu.Lock()
	if ctx.Err() == nil { // else it was called off, and what the station has is for others
		s.lookAway()
		before, s.before = s.before, nil
	}
	mu.Unlock()
	begun := time.Now()
	before, err := e.await(ctx, before)
	mu.Lock()
	defer mu.Unlock()
	if err == nil && ctx.Err() == nil {
		s.before = before
		switch {
		case time.Since(begun) > guardDelay:
			s.doubts = enoughDoubts
		case e.told:
			s.doubts = 0
		default:
			s.doubts++
		}
	} else { // failed, or called off: another bid may wait already, for news that this one has taken
		before.end()
	}
	return err
}

// trusted is how many exchanges in a row take the heir for the same without
// asking: to find it out, etcd reads all of the queue while the next waits for
// its turn.
const trusted = 15

// heir is the lease that stands behind a hold, "" if there is none to rely on.
type heir struct {
	lease string
	sure  bool // enough not to ask
}

// heir returns who stood behind the last exchange, once the one before was the
// same in a queue of the same length: processes that go on wanting a name stand
// in the same order round after round. An exchange that names somebody who is
// not there is sent twice.
func (s *station) heir() heir {
	s.l.stations.mu.Lock()
	defer s.l.stations.mu.Unlock()
	if s.steady == 0 {
		return heir{}
	}
	return heir{s.behind, s.steady%(trusted+1) != 0}
}

// enoughDoubts is how many waits in a row that did not end by a name make a station
// look at the whole of a short queue again. The first may have come too late for
// the watch.
const enoughDoubts = 2

// isSteady reports whether it is enough to watch the one before in a short queue
// too: rounds are quick, and that one names this process. Else a view tells more,
// at the same cost.
func (s *station) isSteady() bool {
	s.l.stations.mu.Lock()
	defer s.l.stations.mu.Unlock()
	return s.steady > 1 && s.doubts < enoughDoubts
}

// succeeded takes in whose the name is after an exchange for the next entry.
func (s *station) succeeded(successor string, next *entry) {
	s.l.stations.mu.Lock()
	defer s.l.stations.mu.Unlock()
	switch {
	case s.l.stations.byName[s.name] != s:
		s.forgetNeighbours()
		return
	case successor == next.lease.name(): // nobody is behind
		successor, s.steady, s.doubts = "", 0, 0
	case successor != "" && s.behind == successor && s.length == next.ahead:
		s.steady++
	default: // somebody has come or gone
		s.steady, s.doubts = 0, 0
	}
	s.behind, s.length = successor, next.ahead
}

// forgetNeighbours ends the watch of the one before, and names nobody any more. The
// caller holds the mutex.
func (s *station) forgetNeighbours() {
	s.before.end()
	s.before, s.behind, s.steady, s.doubts = nil, "", 0, 0
}
