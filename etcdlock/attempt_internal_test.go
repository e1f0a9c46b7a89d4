package etcdlock

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/fencing"
)

func attemptNow(t *testing.T, k *Lock) *attempt {
	t.Helper()
	a, err := k.attempt(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// busy reports whether an attempt has to wait.
func busy(t *testing.T, k *Lock) bool {
	t.Helper()
	over, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	a, err := k.attempt(over)
	if err == nil {
		a.Close()
		return false
	}
	if !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrLost) {
		t.Errorf("an attempt with a deadline that has passed: %v", err)
	}
	return true
}

// Claims grow within an attempt, from one to the next, from turn to turn, and
// from hold to hold.
func TestAttempt_ClaimsGrow(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, &Options{Linger: time.Hour})
	var got []fencing.Claim
	owners := map[string]int{}
	for turn := range 3 {
		if turn == 2 {
			lose(t, l, "n") // what lingers; so this is another hold
		}
		k := lockNow(t, l, "n")
		for range 2 {
			a := attemptNow(t, k)
			for range 2 {
				claims := a.Claims()
				if c := claims[0]; len(claims) != 1 || c.Name != "n" || c.Revision != k.Token() || c.Turn != turnOf(k) || len(c.Owner) != 26 {
					t.Errorf("under token %d, turn %d: %+v", k.Token(), turnOf(k), claims)
				}
				got = append(got, claims[0])
				owners[claims[0].Owner]++
			}
			a.Close()
		}
		unlockNow(t, k)
	}
	for i, c := range got {
		if want := int64(i%4) + 1; c.Attempt != want {
			t.Errorf("claim %d has attempt %d, want %d", i, c.Attempt, want)
		}
	}
	if got[0].Turn != 1 || got[4].Turn != 2 || got[8].Turn != 1 || got[4].Revision != got[0].Revision || got[8].Revision <= got[0].Revision {
		t.Errorf("claims %+v", got)
	}
	if len(owners) != 2 || owners[got[0].Owner] != 8 {
		t.Errorf("owners %v, want one for each hold", owners)
	}
}

// Goroutines that share a hold, and Locks nested in one another, have one
// attempt at a time, and draw from one row of numbers.
func TestAttempt_OneAtATime(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, nil)
	outer := lockNow(t, l, "n")
	inner, err := l.Lock(outer.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	first := attemptNow(t, outer)
	first.Claims()
	if !busy(t, outer) || !busy(t, inner) {
		t.Error("two attempts at a time")
	}
	given := make(chan *attempt)
	go func() { given <- attemptNow(t, inner) }()
	canceled, cancel := context.WithCancel(t.Context())
	refused := make(chan error)
	go func() {
		_, err := outer.attempt(canceled)
		refused <- err
	}()
	cancel()
	if err := <-refused; !errors.Is(err, context.Canceled) || errors.Is(err, ErrTimeout) {
		t.Errorf("an attempt given up: %v", err)
	}
	select {
	case <-given:
		t.Fatal("two attempts at a time")
	default:
	}
	last := first.Claims()[0]
	first.Close()
	second := <-given
	first.Close() // again: the place is another's now
	if !busy(t, outer) {
		t.Error("the second Close has freed another's place")
	}
	if c := second.Claims()[0]; c.Attempt != last.Attempt+1 || c.Turn != last.Turn || c.Owner != last.Owner {
		t.Errorf("claim %+v follows %+v", c, last)
	}
	second.Close()
	if busy(t, outer) {
		t.Error("Close has not freed the place")
	}
	unlockNow(t, inner)
	unlockNow(t, outer)
}

// The order of claims is that of the transactions, no matter who makes them.
func TestAttempt_Order(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, nil)
	k := lockNow(t, l, "n")
	const each, goroutines = 50, 4
	var order []int64
	done := make(chan error)
	for range goroutines {
		go func() {
			for range each {
				a, err := k.attempt(t.Context())
				if err != nil {
					done <- err
					return
				}
				order = append(order, a.Claims()[0].Attempt) // guarded by the attempt, as the race detector sees
				a.Close()
			}
			done <- nil
		}()
	}
	for range goroutines {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if len(order) != each*goroutines || !slices.IsSorted(order) || order[0] != 1 || order[len(order)-1] != each*goroutines {
		t.Errorf("the transactions were numbered %v", order)
	}
	unlockNow(t, k)
}

// An attempt for several names takes all of their places or none.
func TestAttempt_SeveralNames(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, nil)
	both, err := l.Lock(t.Context(), "b", "a")
	if err != nil {
		t.Fatal(err)
	}
	var one [2]*Lock
	for i, name := range []string{"a", "b"} {
		if one[i], err = l.Lock(both.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	a := attemptNow(t, both)
	claims := a.Claims()
	if len(claims) != 2 || claims[0].Name != "a" || claims[1].Name != "b" || claims[0].Owner == claims[1].Owner {
		t.Errorf("claims %+v", claims)
	}
	for _, c := range claims {
		if token, _ := both.TokenOf(c.Name); c.Revision != token {
			t.Errorf("claim %+v, the token is %d", c, token)
		}
	}
	if !busy(t, one[0]) || !busy(t, one[1]) {
		t.Error("an attempt for both leaves one free")
	}
	a.Close()
	b := attemptNow(t, one[1])
	if !busy(t, both) {
		t.Error("an attempt for both while one is taken")
	}
	if busy(t, one[0]) {
		t.Error("an attempt that failed has kept a place")
	}
	b.Close()
	if busy(t, both) {
		t.Error("Close has not freed the place")
	}
	unlockNow(t, both)
}

// waitedFor tells when somebody begins to wait for it.
type waitedFor struct {
	context.Context
	once  sync.Once
	begun chan struct{}
}

func (w *waitedFor) Done() <-chan struct{} {
	w.once.Do(func() { close(w.begun) })
	return w.Context.Done()
}

// Who has lost the lock, or given it back, makes no attempt, nor waits for one
// any longer.
func TestAttempt_AfterTheHold(t *testing.T) {
	t.Parallel()
	l, suspend := newTestLocker(t, &Options{Linger: time.Hour})
	for name, end := range map[string]func(*Lock){
		"Lost":     func(*Lock) { lose(t, l, "n") },
		"Unlocked": func(k *Lock) { unlockNow(t, k) },
		"Slept":    func(*Lock) { suspend(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			k := lockNow(t, l, "n")
			open := attemptNow(t, k)
			waiting := make(chan error)
			ctx := &waitedFor{Context: t.Context(), begun: make(chan struct{})}
			go func() {
				_, err := k.attempt(ctx)
				waiting <- err
			}()
			<-ctx.begun
			end(k)
			if err := <-waiting; !errors.Is(err, ErrLost) {
				t.Errorf("one that waited: %v", err)
			}
			open.Close()
			if _, err := k.attempt(t.Context()); !errors.Is(err, ErrLost) {
				t.Errorf("one that comes later: %v", err)
			}
			_ = k.Unlock(t.Context()) // lost, in two of the cases
		})
	}
}

// A hold for a fixed term has attempts like any other.
func TestAttempt_FixedTerm(t *testing.T) {
	t.Parallel()
	l, suspend := newTestLocker(t, nil)
	k, err := l.LockWithTTL(t.Context(), time.Minute, "n")
	if err != nil {
		t.Fatal(err)
	}
	a := attemptNow(t, k)
	if c := a.Claims()[0]; c.Revision != k.Token() || c.Turn != 1 || c.Attempt != 1 {
		t.Errorf("claim %+v under token %d", c, k.Token())
	}
	if !busy(t, k) {
		t.Error("two attempts at a time")
	}
	a.Close()
	suspend(time.Minute)
	if _, err := k.attempt(t.Context()); !errors.Is(err, ErrLost) {
		t.Errorf("after the term: %v", err)
	}
	if err := k.Unlock(t.Context()); !errors.Is(err, ErrLost) {
		t.Errorf("Unlock: %v", err)
	}
}

// Without a context there is no attempt; and what a context holds can be asked,
// also when it is over.
func TestAttempt_Holding(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, nil)
	another, _ := newTestLocker(t, nil)
	k := lockNow(t, l, "n")
	if _, err := k.attempt(nil); !errors.Is(err, ErrInvalid) { //nolint:staticcheck // that is the point
		t.Errorf("nil context: %v", err)
	}
	for range 2 {
		if !fencing.OfLocker(l).Holding(k.Context(), "n") || fencing.OfLocker(l).Holding(k.Context(), "m") || fencing.OfLocker(l).Holding(t.Context(), "n") || fencing.OfLocker(another).Holding(k.Context(), "n") {
			t.Error("what is held is not what was locked")
		}
		unlockNow(t, k)
	}
}

// A hold whose token a store did not like is used by nobody else: not by the
// next in line, and not by the one that comes while it would linger.
func TestRetire(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, &Options{Linger: time.Hour})
	first := lockNow(t, l, "n")
	next := make(chan *Lock)
	go func() { next <- lockNow(t, l, "n") }()
	inLine(t, l, "n", 1)
	fencing.OfLock(first).Retire()
	unlockNow(t, first)
	second := <-next
	if second.Token() <= first.Token() {
		t.Errorf("the next in line has token %d, the retired hold had %d", second.Token(), first.Token())
	}
	fencing.OfLock(second).Retire()
	unlockNow(t, second)
	third := lockNow(t, l, "n")
	defer unlockNow(t, third)
	if third.Token() <= second.Token() {
		t.Errorf("who came later has token %d, the retired hold had %d", third.Token(), second.Token())
	}
}
