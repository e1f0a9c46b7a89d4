package etcdlock

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// Goroutines get their turns in the order in which they came, on one hold.
func TestStation_FirstComeFirstServed(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, nil)
	first := lockNow(t, l, "n")
	var order []int
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			k := lockNow(t, l, "n")
			if k.Token() != first.Token() || k.Turn() != int64(i)+2 {
				t.Errorf("goroutine %d has token %d, turn %d", i, k.Token(), k.Turn())
			}
			order = append(order, i) // guarded by the lock, as the race detector sees
			unlockNow(t, k)
		})
		inLine(t, l, "n", i+1)
	}
	unlockNow(t, first)
	wg.Wait()
	for i, who := range order {
		if who != i {
			t.Fatalf("served in the order %v", order)
		}
	}
}

// One that gives up neither takes a turn nor breaks the line, also when its
// turn comes at the same moment.
func TestStation_GivingUpRacesWithTheTurn(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, &Options{Linger: time.Hour})
	for range 2000 {
		held := lockNow(t, l, "n")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				k, err := l.Lock(ctx, "n")
				if err == nil {
					err = k.Unlock(t.Context())
				}
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		wg.Go(cancel)
		unlockNow(t, held)
		wg.Wait()
		cancel()
	}
	unlockNow(t, lockNow(t, l, "n"))
}

// A hold that has had its turns, or its time, is taken anew, although nobody
// else wants it: from a goroutine in line as well as while it lingers.
func TestStation_TakesTheHoldAnew(t *testing.T) {
	t.Parallel()
	for name, age := range map[string]func(*hold){
		"turns": func(h *hold) { h.turns = maxTurnsOfHold },
		"time":  func(h *hold) { h.begun = h.begun.Add(-maxAgeOfHold) },
	} {
		l, _ := newTestLocker(t, &Options{Linger: time.Hour})
		makeOld := func() {
			l.stations.mu.Lock()
			defer l.stations.mu.Unlock()
			age(l.stations.byName["n"].hold)
		}
		first := lockNow(t, l, "n")
		next := make(chan *Lock)
		go func() { next <- lockNow(t, l, "n") }()
		inLine(t, l, "n", 1)
		makeOld()
		unlockNow(t, first)
		second := <-next
		if second.Token() <= first.Token() || second.Turn() != 1 {
			t.Errorf("%s, in line: token %d, turn %d after token %d", name, second.Token(), second.Turn(), first.Token())
		}
		unlockNow(t, second)
		makeOld()
		third := lockNow(t, l, "n")
		if third.Token() <= second.Token() || third.Turn() != 1 {
			t.Errorf("%s, lingering: token %d, turn %d after token %d", name, third.Token(), third.Turn(), second.Token())
		}
		unlockNow(t, third)
		makeOld()
		tried, err := l.TryLock(t.Context(), "n")
		if err != nil {
			t.Fatal(err)
		}
		if tried.Token() <= third.Token() {
			t.Errorf("%s, tried: token %d after %d", name, tried.Token(), third.Token())
		}
		unlockNow(t, tried)
	}
}

// The stations that nothing goes on at are forgotten.
func TestStation_IsForgotten(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, &Options{Linger: NoLinger})
	for _, name := range []string{"a", "b"} {
		unlockNow(t, lockNow(t, l, name))
		over, cancel := context.WithCancel(t.Context())
		held := lockNow(t, l, name)
		go cancel()
		if k, err := l.Lock(over, name); err == nil {
			unlockNow(t, k)
		}
		if _, err := l.TryLock(t.Context(), name); !errors.Is(err, ErrHeld) {
			t.Error(err)
		}
		unlockNow(t, held)
	}
	l.stations.mu.Lock()
	defer l.stations.mu.Unlock()
	if n := len(l.stations.byName); n != 0 {
		t.Errorf("%d stations are left", n)
	}
}

// Who is served at the moment at which it gives up hands its turn on: nobody
// else would ever get the name.
func TestStation_GivingUpHandsTheTurnOn(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, &Options{Linger: time.Hour})
	unlockNow(t, lockNow(t, l, "n"))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	given, refused := 0, 0
	for range 100 {
		// It is served at once, by the hold that lingers. Chance decides what it
		// notices first: that, or its context.
		got, err := l.join(over, "n", false)
		if err == nil {
			given++
			l.letGo(got.finish())
		} else {
			refused++
		}
		l.stations.mu.Lock()
		stuck := l.stations.byName["n"].turn != nil
		l.stations.mu.Unlock()
		if stuck {
			t.Fatal("nobody uses the turn, and nobody gets it")
		}
	}
	if given == 0 || refused == 0 {
		t.Errorf("%d were given, %d refused: the test proves nothing", given, refused)
	}
}

// What a bid brings home after it was called off is for nobody, least of all
// for those who wait for the next one.
func TestStation_BidCalledOff(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, nil)
	e, err := l.enterQueue(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	next := make(chan *Lock)
	go func() { next <- lockNow(t, l, "n") }()
	inLine(t, l, "n", 1)
	l.stations.mu.Lock()
	s := l.at("n")
	l.stations.mu.Unlock()
	calledOff := s.newBid()
	calledOff.stop()
	s.arrive(calledOff, nil, errors.New("what befell another"))
	s.arrive(calledOff, e, nil)
	k := <-next
	if k.Token() <= e.rev {
		t.Errorf("token %d is that of the bid called off", k.Token())
	}
	unlockNow(t, k)
}

// Who comes while the former hold of its process is on its way out, and etcd
// does not answer, queues behind it.
func TestStation_ComesDuringARelease(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	sent, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	l := lockerOn(t, srv, &Options{Linger: NoLinger}, func(_ context.Context, req any, serve func() error) error {
		if step(req) == "Release" {
			once.Do(func() {
				close(sent)
				<-answer
			})
		}
		return serve()
	}, nil)
	first := lockNow(t, l, "n")
	released := make(chan error)
	go func() { released <- first.Unlock(t.Context()) }()
	<-sent
	next := make(chan *Lock)
	go func() { next <- lockNow(t, l, "n") }()
	awaitQueue(t, srv, "n", 2)
	close(answer)
	if err := <-released; err != nil {
		t.Error(err)
	}
	second := <-next
	if second.Token() <= first.Token() {
		t.Errorf("token %d after %d", second.Token(), first.Token())
	}
	unlockNow(t, second)
}
