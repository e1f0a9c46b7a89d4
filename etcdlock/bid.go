package etcdlock

import (
	"context"
	"errors"
)

// bid is an attempt to get the name from etcd. That of a TryLock, which stands
// for nobody else, has neither.
type bid struct {
	ctx  context.Context //nolint:containedctx // it lives as long as the bid
	stop context.CancelFunc
}

func (s *station) newBid() *bid {
	ctx, stop := context.WithCancel(s.l.closing)
	return &bid{ctx, stop}
}

// send starts a bid. It stands for whoever is in line when it ends, so that
// one goroutine that gives up costs the others nothing.
func (s *station) send() {
	b := s.newBid()
	if s.l.session.Spawn(func() { s.pursue(b, nil, errRequeue) }) {
		s.bid = b
	} else { // closed: so are the contexts of all who wait
		b.stop()
	}
}

// succeed starts a bid that takes its place in the queue by the very request
// that releases the hold, if somebody is in line. The next hold has to wait for
// all who queue behind this one.
func (s *station) succeed(h *hold) *bid {
	s.l.stations.mu.Lock()
	defer s.l.stations.mu.Unlock()
	if s.going == h {
		s.going = nil
	}
	if s.line.Len() == 0 || s.bid != nil || s.hold != nil {
		return nil
	}
	if s.l.closing.Err() != nil || !h.e.lease.Alive() {
		s.send()
		return nil
	}
	s.bid = s.newBid()
	return s.bid
}

// pursue goes through the queue until the name is owned: from the place e on,
// or with errRequeue from the beginning.
func (s *station) pursue(b *bid, e *entry, err error) {
	defer b.stop()
	for {
		if err == nil && e.pred != "" {
			err = s.awaitInView(b.ctx, e)
		}
		if err == nil && !e.lease.Alive() {
			err = errRequeue
		}
		if !errors.Is(err, errRequeue) {
			break
		}
		e, err = s.l.enterQueue(b.ctx, s.name)
	}
	s.arrive(b, e, err)
}

// arrive takes in what a bid has brought. An error is for the first in line,
// for whom the bid stood in the queue; the others try anew.
func (s *station) arrive(b *bid, e *entry, err error) {
	mu := &s.l.stations.mu
	mu.Lock()
	if s.bid != b { // called off
		mu.Unlock()
		if err == nil {
			e.spawnRelease()
		}
		return
	}
	s.bid = nil
	if err == nil {
		s.hold = newHold(s, e)
	} else {
		s.line.Remove(s.line.Front()).(*waiter).served <- served{err: err}
	}
	leaves := s.advance()
	mu.Unlock()
	s.l.letGo(leaves)
}

// enterQueue takes a place in the queue, on the session's lease.
func (l *Locker) enterQueue(ctx context.Context, name string) (*entry, error) {
	s, err := l.session.Lease(ctx, false)
	if err != nil {
		return nil, err
	}
	e := l.newEntry(name, s)
	return e, e.enqueue(ctx, anyQueue)
}
