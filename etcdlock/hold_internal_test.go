package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/memetcd"
)

// loseUnnoticed ends the hold of a name as lost, before anybody who is told of
// that has done anything about it.
func loseUnnoticed(t *testing.T, l *Locker, name string) {
	t.Helper()
	l.stations.mu.Lock()
	h := l.stations.byName[name].hold
	l.stations.mu.Unlock()
	h.e.hold.Store(nil)
	h.e.cancel(fmt.Errorf("%w: the test says so", ErrLost))
	if _, err := l.cli.Delete(t.Context(), h.e.key); err != nil {
		t.Fatal(err)
	}
}

// A hold that is lost is handed to nobody, also when the one who gives it back
// is the first to notice. That one need not wait for etcd.
func TestHold_LostIsNotHandedOn(t *testing.T) {
	t.Parallel()
	var lost atomic.Int64
	l, _ := newTestLocker(t, &Options{Hooks: &Hooks{Lost: func(string, error) { lost.Add(1) }}})
	first := lockNow(t, l, "n")
	next := make(chan *Lock)
	go func() { next <- lockNow(t, l, "n") }()
	inLine(t, l, "n", 1)
	loseUnnoticed(t, l, "n")
	if err := first.Unlock(t.Context()); !errors.Is(err, ErrLost) {
		t.Errorf("Unlock: %v", err)
	}
	if first.released != nil {
		t.Error("etcd was asked to release what is lost")
	}
	if lost.Load() != 1 {
		t.Errorf("%d losses were told", lost.Load())
	}
	second := <-next
	if second.Token() <= first.Token() {
		t.Errorf("token %d after %d was lost", second.Token(), first.Token())
	}
	unlockNow(t, second)
}

// A hold that is lost, or whose lease is over, while it lingers is not used
// again, even if nobody has noticed.
func TestHold_LostIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	l, suspend := newTestLocker(t, &Options{Linger: time.Hour})
	for name, lose := range map[string]func(){
		"lost":  func() { loseUnnoticed(t, l, "n") },
		"slept": func() { suspend(time.Hour) },
	} {
		first := lockNow(t, l, "n")
		unlockNow(t, first)
		lose()
		second := lockNow(t, l, "n")
		if second.Token() <= first.Token() || second.Context().Err() != nil {
			t.Errorf("%s: token %d after %d, its context: %v", name, second.Token(), first.Token(), second.Context().Err())
		}
		unlockNow(t, second)
	}
}

// waiting lets l wait for "n" with so many places of others before it, which
// the function returned takes away.
func waiting(t *testing.T, srv *memetcd.Server, l *Locker, before int) (goesOn func() *Lock) {
	t.Helper()
	var keys []string
	for i := range before {
		keys = append(keys, fmt.Sprint(l.prefix("n"), "another-", i))
		if _, err := l.cli.Put(t.Context(), keys[i], ""); err != nil {
			t.Fatal(err)
		}
	}
	next := make(chan *Lock)
	go func() { next <- lockNow(t, l, "n") }()
	awaitQueue(t, srv, "n", before+1)
	return func() *Lock {
		for _, key := range keys {
			if _, err := l.cli.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		return <-next
	}
}

// A hold knows from its first moment who queues behind it: its goroutines could
// hand it on for a minute otherwise.
func TestHold_KnowsWhoIsBehind(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]int{"InView": 1, "FarAway": nearEnough + 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			l, other := lockerOn(t, srv, nil, nil, nil), lockerOn(t, srv, nil, nil, nil)
			goesOn := waiting(t, srv, l, before)
			behind := make(chan *Lock)
			go func() { behind <- lockNow(t, other, "n") }()
			awaitQueue(t, srv, "n", before+2)
			if before <= nearEnough {
				eventually(t, "the picture of those behind", func() bool {
					l.stations.mu.Lock()
					defer l.stations.mu.Unlock()
					v := l.stations.byName["n"].view
					return v != nil && len(v.places) == before+2
				})
			}
			k := goesOn()
			l.stations.mu.Lock()
			wanted := l.stations.byName["n"].hold.wanted
			l.stations.mu.Unlock()
			if !wanted {
				t.Error("it does not know that somebody is behind")
			}
			unlockNow(t, k)
			unlockNow(t, <-behind)
		})
	}
}

// A hold that others had to leave first lingers only once it has seen that none
// of them is back.
func TestHold_LingersWhenAlone(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	l := lockerOn(t, srv, &Options{Linger: time.Hour}, nil, nil)
	lingers := func() bool {
		l.stations.mu.Lock()
		defer l.stations.mu.Unlock()
		s := l.stations.byName["n"]
		return s != nil && s.idles()
	}
	goesOn := waiting(t, srv, l, nearEnough+1)
	unlockNow(t, goesOn())
	if lingers() {
		t.Error("it lingers without having looked")
	}
	awaitQueue(t, srv, "n", 0)
	goesOn = waiting(t, srv, l, nearEnough+1)
	k := goesOn()
	eventually(t, "the look that a hold takes after a moment", func() bool { return seen(l) })
	unlockNow(t, k)
	if !lingers() {
		t.Error("it does not linger, although nobody is there")
	}
}

// A hold that lingers, or is handed on, is watched from that moment on, not
// only when it has become old.
func TestHold_IsWatchedWhenItStays(t *testing.T) {
	t.Parallel()
	watched := func(l *Locker) bool {
		l.stations.mu.Lock()
		defer l.stations.mu.Unlock()
		return l.stations.byName["n"].view != nil
	}
	l, _ := newTestLocker(t, &Options{Linger: time.Hour})
	unlockNow(t, lockNow(t, l, "n"))
	if !watched(l) {
		t.Error("it lingers, and nobody would know who comes")
	}
	l, _ = newTestLocker(t, &Options{Linger: NoLinger})
	first := lockNow(t, l, "n")
	next := make(chan *Lock)
	go func() { next <- lockNow(t, l, "n") }()
	inLine(t, l, "n", 1)
	unlockNow(t, first)
	second := <-next
	if !watched(l) {
		t.Error("it is handed on, and nobody would know who comes")
	}
	unlockNow(t, second)
}

// Who gives back what others wait for is not kept until etcd has answered.
func TestHold_LeavesForOthersInTheBackground(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	answer := make(chan struct{})
	l := lockerOn(t, srv, nil, func(_ context.Context, req any, serve func() error) error {
		err := serve()
		if step(req) == "Release" {
			<-answer
		}
		return err
	}, nil)
	other := lockerOn(t, srv, nil, nil, nil)
	k := lockNow(t, l, "n")
	next := make(chan *Lock)
	go func() { next <- lockNow(t, other, "n") }()
	eventually(t, "the hold to know", func() bool {
		l.stations.mu.Lock()
		defer l.stations.mu.Unlock()
		return l.stations.byName["n"].hold.wanted
	})
	unlockNow(t, k)
	second := <-next
	close(answer)
	unlockNow(t, second)
}
