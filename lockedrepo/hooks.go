package lockedrepo

import (
	"context"
	"sync"
)

// commitHooks are the functions around the commit of one transaction.
type commitHooks struct {
	mu     sync.Mutex
	before []func(context.Context) error
	after  []func(context.Context)
}

func (h *commitHooks) add(before func(context.Context) error, after func(context.Context)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if before != nil {
		h.before = append(h.before, before)
	}
	if after != nil {
		h.after = append(h.after, after)
	}
}

// mark returns a function that forgets what is added from now on.
func (h *commitHooks) mark() (forget func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before, after := len(h.before), len(h.after)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.before, h.after = h.before[:before], h.after[:after]
	}
}

// commits calls what runs before the commit.
func (h *commitHooks) commits(ctx context.Context) error {
	for i := 0; ; i++ {
		fn := h.nextBefore(i)
		if fn == nil {
			return nil
		}
		if err := fn(ctx); err != nil {
			return err
		}
	}
}

func (h *commitHooks) nextBefore(i int) func(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i >= len(h.before) {
		return nil
	}
	return h.before[i]
}

// committed calls what runs after the commit. A panic does not keep the others from
// being called.
func (h *commitHooks) committed(ctx context.Context) {
	h.mu.Lock()
	after := h.after
	h.mu.Unlock()
	callAll(context.WithoutCancel(ctx), after)
}

func callAll(ctx context.Context, fns []func(context.Context)) {
	for i, fn := range fns {
		done := false
		func() {
			defer func() {
				if !done {
					callAll(ctx, fns[i+1:]) // fn panics
				}
			}()
			fn(ctx)
			done = true
		}()
	}
}
