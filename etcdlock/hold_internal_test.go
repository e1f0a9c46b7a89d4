package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/memetcd"
)

// A hold that is lost, or whose lease is over, while it lingers is not used
// again, even if nobody has noticed.
func TestHold_LostIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	l, suspend := newTestLocker(t, &Options{Linger: time.Hour})
	for name, lose := range map[string]func(){
		"lost":  func() { lose(t, l, "n") },
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

// A hold that is lost is handed to nobody, and who gives it back need not wait for etcd.
func TestHold_LostIsNotHandedOn(t *testing.T) {
	t.Parallel()
	l, suspend := newTestLocker(t, nil)
	for name, lose := range map[string]func(){
		"lost":  func() { lose(t, l, "n") },
		"slept": func() { suspend(time.Hour) },
	} {
		first := lockNow(t, l, "n")
		next := make(chan *Lock)
		go func() { next <- lockNow(t, l, "n") }()
		inLine(t, l, "n", 1)
		lose()
		if err := first.Unlock(t.Context()); !errors.Is(err, ErrLost) {
			t.Errorf("%s: Unlock: %v", name, err)
		}
		if name == "lost" && first.released != nil {
			t.Error("etcd was asked to release what is lost")
		}
		second := <-next
		if second.Token() <= first.Token() {
			t.Errorf("%s: token %d after %d was lost", name, second.Token(), first.Token())
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
		keys = append(keys, fmt.Sprint(l.Path("n"), "another-", i))
		if _, err := clientOf(l).Put(t.Context(), keys[i], ""); err != nil {
			t.Fatal(err)
		}
	}
	next := make(chan *Lock)
	go func() { next <- lockNow(t, l, "n") }()
	awaitQueue(t, srv, "n", before+1)
	return func() *Lock {
		for _, key := range keys {
			if _, err := clientOf(l).Delete(t.Context(), key); err != nil {
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
	for name, before := range map[string]int{"InSnapshot": 1, "FarAway": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			l, other := lockerOn(t, srv, nil, nil, nil), lockerOn(t, srv, nil, nil, nil)
			goesOn := waiting(t, srv, l, before)
			behind := make(chan *Lock)
			go func() { behind <- lockNow(t, other, "n") }()
			awaitQueue(t, srv, "n", before+2)
			k := goesOn()
			if !l.cohorts.Status("n").Wanted {
				t.Error("it does not know that somebody is behind")
			}
			unlockNow(t, k)
			unlockNow(t, <-behind)
		})
	}
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
	wanted(t, l, "n")
	unlockNow(t, k)
	second := <-next
	close(answer)
	unlockNow(t, second)
}
