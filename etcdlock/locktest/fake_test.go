package locktest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
)

// store is a lock service of its own, in memory, to try the suite on: intact it
// passes, and each fault makes it fail. faults are the mistakes that it makes.
type store struct {
	faults  faults
	stopped context.Context // ends waits that a fault would let last without end

	mu     sync.Mutex
	rev    int64
	queues map[string][]*place // the first holds
	litter []string
	lossy  bool // a hold was broken
}

type faults struct {
	letsTwoIn, lastFirst, leavingFoolsNext, leaksWaiter, ignoresCancel, bareTimeout       bool
	tryWaits, tryQueues, tryKeepsSome, unsorted, cutsNames                                bool
	diesWithCaller, dropsValues, unlockNeedsContext, unlockTakesOthers, keepsContext      bool
	noNotice, silentLoss, lossHoldsName, lossFreesNext, reusesTokens                      bool
	noNesting, nestedUnlockFrees, staleNesting, orderWaits, orderRefuses                  bool
	firstNameOnly, nestsAnything, diesOfLoss, tryNever, trimsNames, takesDead, neverFrees bool
	closeIsOpen, closeForgetsWaits, closeForgetsHolds, closeHurries, litters, anyNames    bool
}

// place is one contender for a name.
type place struct {
	name  string
	token int64
	turn  chan struct{} // closed when the name is reached
	want  chan struct{} // closed when another waits for the name
	over  error         // why the hold ended early; guarded by the store
	end   func(error)   // ends the context of the hold; set when it is held
}

func newStore(t locktest.T, f faults) *store {
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	return &store{faults: f, stopped: ctx, queues: make(map[string][]*place)}
}

func (s *store) harness() locktest.Harness {
	return locktest.Harness{
		New:   func() locktest.Locker { return newFake(s) },
		Break: s.breakHold,
		Queue: func(_ context.Context, name string) (int, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.queues[s.key(name)]), nil
		},
		Leftovers: func(context.Context) ([]string, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			left := slices.Clone(s.litter)
			for name, q := range s.queues {
				if len(q) > 0 {
					left = append(left, name)
				}
			}
			return left, nil
		},
		Features: locktest.AllFeatures(),
	}
}

func (s *store) key(name string) string {
	if s.faults.cutsNames {
		name, _, _ = strings.Cut(name, "/")
	}
	if s.faults.trimsNames {
		name = strings.TrimSpace(name)
	}
	return name
}

// join queues for a name; with try only when it is free.
func (s *store) join(name string, try bool) *place {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = s.key(name)
	q := s.queues[name]
	if s.faults.tryNever && try {
		return nil
	}
	if try && len(q) > 0 && !s.faults.tryQueues {
		return nil
	}
	s.rev++
	p := &place{name: name, token: s.rev, turn: make(chan struct{}), want: make(chan struct{})}
	if s.faults.reusesTokens {
		p.token = 7
	}
	if len(q) > 0 && s.faults.letsTwoIn {
		close(p.turn)
		return p
	}
	if len(q) == 0 {
		close(p.turn)
	} else {
		open(q[0].want)
	}
	s.queues[name] = append(q, p)
	if try && len(q) > 0 {
		return nil // and the place stays, as the fault wants it
	}
	return p
}

// leave takes a place out of the queue and lets the next have its turn.
func (s *store) leave(p *place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[p.name]
	i := slices.Index(q, p)
	if i < 0 || s.faults.neverFrees {
		return
	}
	q = slices.Delete(q, i, i+1)
	s.queues[p.name] = q
	if s.faults.leavingFoolsNext && i < len(q) {
		open(q[i].turn)
	}
	if i > 0 || len(q) == 0 {
		return
	}
	if last := len(q) - 1; s.faults.lastFirst {
		q[0], q[last] = q[last], q[0]
	}
	open(q[0].turn)
	if len(q) > 1 {
		open(q[0].want)
	}
}

func open(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

func (s *store) breakHold(_ context.Context, name string) error {
	s.mu.Lock()
	q := s.queues[s.key(name)]
	if len(q) == 0 || q[0].end == nil {
		s.mu.Unlock()
		return errors.New("nobody holds it")
	}
	p := q[0]
	p.over = fmt.Errorf("broken: %w", etcdlock.ErrLost)
	s.lossy = true
	s.mu.Unlock()
	if !s.faults.lossHoldsName {
		s.leave(p)
	}
	if !s.faults.noNotice {
		p.end(p.over)
	}
	return nil
}
