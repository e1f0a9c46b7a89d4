package etcdlock

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// Goroutines get their turns in the order in which they came, on one hold.
func TestCohort_FirstComeFirstServed(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, nil)
	first := lockNow(t, l, "n")
	var order []int
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			k := lockNow(t, l, "n")
			if k.Token() != first.Token() || turnOf(k) != int64(i)+2 {
				t.Errorf("goroutine %d has token %d, turn %d", i, k.Token(), turnOf(k))
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

// With passing on turned off, each Lock has a token of its own, whether its goroutine stood in
// line, came later, or tried, and nothing lingers.
func TestCohort_NoPassingOn(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	l := lockerOn(t, srv, &Options{MaxTurns: -1, Linger: time.Hour}, nil, nil)
	other := lockerOn(t, srv, nil, nil, nil)
	first := lockNow(t, l, "n")
	tokens := []int64{first.Token()} // guarded by the lock
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			k := lockNow(t, l, "n")
			if turnOf(k) != 1 {
				t.Errorf("turn %d", turnOf(k))
			}
			tokens = append(tokens, k.Token())
			unlockNow(t, k)
		})
		inLine(t, l, "n", i+1)
	}
	unlockNow(t, first)
	wg.Wait()
	for _, again := range []func() (*Lock, error){
		func() (*Lock, error) { return l.Lock(t.Context(), "n") },
		func() (*Lock, error) { return l.TryLock(t.Context(), "n") },
		func() (*Lock, error) { return other.TryLock(t.Context(), "n") },
	} {
		k, err := again()
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, k.Token())
		unlockNow(t, k)
	}
	for i, token := range tokens[1:] {
		if token <= tokens[i] {
			t.Fatalf("tokens %v", tokens)
		}
	}
}

// One that gives up neither takes a turn nor breaks the line, also when its
// turn comes at the same moment.
func TestCohort_GivingUpRacesWithTheTurn(t *testing.T) {
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

// The cohorts that nothing goes on at are forgotten.
func TestCohort_IsForgotten(t *testing.T) {
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
	if n := l.cohorts.Len(); n != 0 {
		t.Errorf("%d cohorts are left", n)
	}
}

// Who comes while the former hold of its process is on its way out, and etcd
// does not answer, queues behind it.
func TestCohort_ComesDuringARelease(t *testing.T) {
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
