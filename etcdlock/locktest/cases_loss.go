package locktest

import (
	"context"

	"github.com/holdfast-go/holdfast/etcdlock"
)

// breakHold ends the hold of name and checks that its holder is told.
func (b *bench) breakHold(k Lock, name string) {
	b.Helper()
	if err := b.h.Break(b.patient(), name); err != nil {
		b.Fatalf("Harness.Break(%q): %v", name, err)
	}
	b.is("the end of a broken hold", b.awaitDone(k.Context(), "the context of a broken hold"), etcdlock.ErrLost)
}

func lossIsNoticed(t T, h Harness) {
	b := newBench(t, h, "LossNotice")
	l := b.locker()
	k := b.lock(l, "loss")
	b.breakHold(k, "loss")
	b.is("Unlock of a lost lock", k.Unlock(b.patient()), etcdlock.ErrLost)
	b.is("Unlock of a lost lock, again", k.Unlock(b.patient()), etcdlock.ErrLost)
}

func lossLetsOthersIn(t T, h Harness) {
	b := newBench(t, h, "LossNotice")
	one, two, three := b.locker(), b.locker(), b.locker()
	k := b.lock(one, "loss")
	a := b.start(two, "loss")
	b.awaitQueue("loss", 2)
	b.breakHold(k, "loss")
	next := a.granted()
	b.is("Unlock of a lost lock", k.Unlock(b.patient()), etcdlock.ErrLost)
	if next.Context().Err() != nil {
		b.Errorf("Unlock of a lost lock ended the hold of the next: %v", context.Cause(next.Context()))
	}
	b.held(three, "loss")
	b.unlock(next)
	b.free(three, "loss")
}

func lossIsSurvived(t T, h Harness) {
	b := newBench(t, h, "LossNotice")
	l := b.locker()
	for range 3 {
		k := b.lock(l, "loss")
		b.breakHold(k, "loss")
		b.is("Unlock of a lost lock", k.Unlock(b.patient()), etcdlock.ErrLost)
	}
	b.free(l, "loss")
}

// fencer is a Lock that has fencing tokens.
type fencer interface {
	FencingToken(name string) (etcdlock.FencingToken, bool)
}

func tokensGrow(t T, h Harness) {
	b := newBench(t, h, "Tokens")
	one, two := b.locker(), b.locker()
	var last, lastTurn int64
	grows := func(k Lock, how string) {
		b.Helper()
		token := k.Token()
		// One that is handed on inside a process may tell its holds apart by turns.
		turn := int64(0)
		switch k := k.(type) {
		case interface{ Turn() int64 }:
			turn = k.Turn()
		case fencer:
			fence, _ := k.FencingToken("token")
			turn = fence.Turn
		}
		if token < last || token == last && turn <= lastTurn {
			b.Errorf("%s: token %d, turn %d after token %d, turn %d, want a greater one", how, token, turn, last, lastTurn)
		}
		if of, ok := k.TokenOf("token"); !ok || of != token {
			b.Errorf("TokenOf says %d, %v and Token says %d", of, ok, token)
		}
		if of, ok := k.TokenOf("another"); ok {
			b.Errorf("TokenOf of a name that is not held says %d, true", of)
		}
		last, lastTurn = token, turn
	}
	for range 3 {
		for _, l := range []Locker{one, two} {
			k := b.lock(l, "token")
			grows(k, "Lock")
			b.unlock(k)
			k, err := l.TryLock(b.patient(), "token")
			if err != nil {
				b.Fatalf("TryLock of a free name: %v", err)
			}
			grows(k, "TryLock")
			b.unlock(k)
		}
	}
	if !h.Features.LossNotice {
		return
	}
	k := b.lock(one, "token")
	grows(k, "Lock")
	b.breakHold(k, "token")
	_ = k.Unlock(b.patient())
	k = b.lock(two, "token")
	grows(k, "Lock after a loss")
	b.unlock(k)
}
