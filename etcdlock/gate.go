package etcdlock

import (
	"container/list"
	"context"
	"sync"
)

// gate queues the goroutines of this process, first come first served and
// name by name, so that one contender in etcd stands for all of them.
type gate struct {
	mu    sync.Mutex
	lines map[string]*list.List // waiting chan struct{}s; present while the name is taken
}

// tryEnter takes the name if no goroutine has it.
func (g *gate) tryEnter(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, taken := g.lines[name]; taken {
		return false
	}
	if g.lines == nil {
		g.lines = make(map[string]*list.List)
	}
	g.lines[name] = list.New()
	return true
}

// enter takes the name, waiting until all who came before have left. It
// reports false when ctx ends first; the name is then not taken.
func (g *gate) enter(ctx context.Context, name string) bool {
	if g.tryEnter(name) {
		return true
	}
	g.mu.Lock()
	line, taken := g.lines[name]
	if !taken { // it was left between the two looks
		g.lines[name] = list.New()
		g.mu.Unlock()
		return true
	}
	mine := make(chan struct{})
	place := line.PushBack(mine)
	g.mu.Unlock()

	select {
	case <-mine:
		return true
	case <-ctx.Done():
	}
	g.mu.Lock()
	select {
	case <-mine:
		// The name was handed over while ctx ended: hand it on.
		g.mu.Unlock()
		g.leave(name)
	default:
		line.Remove(place)
		g.mu.Unlock()
	}
	return false
}

// leave hands the name to the goroutine that waits longest.
func (g *gate) leave(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	line := g.lines[name]
	front := line.Front()
	if front == nil {
		delete(g.lines, name)
		return
	}
	close(line.Remove(front).(chan struct{}))
}
