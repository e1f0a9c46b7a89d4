package etcdlock

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
)

func TestGate_FirstComeFirstServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g gate
		if !g.tryEnter("n") || g.tryEnter("n") || !g.tryEnter("other") {
			t.Fatal("tryEnter")
		}
		var order []int
		var mu sync.Mutex
		for i := range 5 {
			go func() {
				if !g.enter(t.Context(), "n") {
					t.Error("not let in")
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				g.leave("n")
			}()
			synctest.Wait()
		}
		g.leave("n")
		synctest.Wait()
		for i, who := range order {
			if who != i {
				t.Errorf("let in in the order %v", order)
			}
		}
		if len(order) != 5 || len(g.lines) != 1 { // "other" is still taken
			t.Errorf("%d were let in, %d names are taken", len(order), len(g.lines))
		}
	})
}

// One that gives up neither takes a turn nor breaks the line, also when its
// turn comes at the same moment.
func TestGate_GivingUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g gate
		g.tryEnter("n")
		ctx, cancel := context.WithCancel(t.Context())
		entered := make(chan bool, 2)
		go func() { entered <- g.enter(ctx, "n") }()
		synctest.Wait()
		go func() { entered <- g.enter(t.Context(), "n") }()
		synctest.Wait()
		cancel()
		if <-entered {
			t.Error("one that gave up was let in")
		}
		g.leave("n")
		if !<-entered {
			t.Error("the next one was not let in")
		}
		g.leave("n")
		if !g.tryEnter("n") {
			t.Error("the name stayed taken")
		}
	})
}

func TestGate_GivingUpRacesWithTheTurn(t *testing.T) {
	t.Parallel()
	var g gate
	for range 2000 {
		g.tryEnter("n")
		ctx, cancel := context.WithCancel(t.Context())
		entered := make(chan bool)
		go func() { entered <- g.enter(ctx, "n") }()
		go cancel()
		g.leave("n")
		if <-entered {
			g.leave("n")
		}
		cancel()
	}
	if len(g.lines) != 0 {
		t.Error("the name stayed taken")
	}
}
