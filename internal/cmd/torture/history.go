package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// op is one operation as its caller saw it.
type op struct {
	Name     string
	Worker   int
	Kind     kind
	How      way
	Keys     []string
	Amount   int64 `json:",omitempty"`
	Start    int64 // wall clock, nanoseconds
	End      int64 // math.MaxInt64 while no answer came
	Outcome  string
	Old, New int64
	ID       string   `json:",omitempty"`
	Err      string   `json:",omitempty"`
	Kinds    []string `json:",omitempty"`
	Batch    int      `json:",omitempty"` // see report
	IDs      []int64  `json:",omitempty"`
	Named    []int    `json:",omitempty"`
}

// blind tells that it saves what was not read.
func (o *op) blind() bool { return o.Kind == saving || o.Kind == entering }

// history collects what the workers report.
type history struct {
	mu     sync.Mutex
	ops    map[string]*op
	events map[string]int64 // how often anything else was reported
	texts  []string         // what the leaks were
	acked  int64            // read-modify-writes so far
	saved  int64            // saves in batches so far
	news   chan struct{}    // closed at the next report
	reads  map[string]bool  // steps that have read and wait
}

func newHistory() *history {
	return &history{ops: map[string]*op{}, events: map[string]int64{}, news: make(chan struct{}), reads: map[string]bool{}}
}

// add takes a report of a worker.
func (h *history) add(worker int, r report) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch r.What {
	case isStart:
		// Until an answer comes nobody knows: the process may die.
		h.ops[r.Op] = &op{
			Name: r.Op, Worker: worker, Kind: r.Kind, How: r.How, Keys: r.Keys, Amount: r.New,
			Start: r.At, End: math.MaxInt64, Outcome: isUnknown,
		}
	case isDone, isRefused, isUnknown:
		if o := h.ops[r.Op]; o != nil {
			o.Outcome, o.End, o.Old, o.New, o.ID, o.Err, o.Kinds = r.What, r.At, r.Old, r.New, r.ID, r.Err, r.Kinds
			o.Batch, o.IDs, o.Named = r.Batch, r.IDs, r.Named
			switch {
			case o.Outcome != isDone || o.Kind == reading:
			case !o.blind():
				h.acked++
			case o.Batch > 1:
				h.saved++
			}
		}
	case isRead:
		h.reads[r.Op] = true
	default:
		h.events[r.What]++
		if r.What == isLeak {
			h.texts = append(h.texts, r.Err)
		}
	}
	close(h.news)
	h.news = make(chan struct{})
}

// until waits for something to be so, which is asked after every report.
func (h *history) until(ctx context.Context, what string, so func() bool) error {
	for {
		h.mu.Lock()
		news, ok := h.news, so()
		h.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		}
	}
}

// answered returns the operation once its answer is here.
func (h *history) answered(ctx context.Context, name string) (op, error) {
	var o op
	err := h.until(ctx, "the answer to "+name, func() bool {
		if found := h.ops[name]; found != nil {
			o = *found
		}
		return o.End != 0 && o.End != math.MaxInt64
	})
	return o, err
}

// hasRead waits until a step has read, or was answered without.
func (h *history) hasRead(ctx context.Context, name string) (bool, error) {
	read := false
	err := h.until(ctx, name+" to read", func() bool {
		read = h.reads[name]
		o := h.ops[name]
		return read || o != nil && o.End != math.MaxInt64
	})
	return read, err
}

// progress waits for an acknowledged update and an acknowledged save that began after
// the moment, and returns how long that took.
func (h *history) progress(ctx context.Context, since time.Time) (time.Duration, error) {
	var took time.Duration
	err := h.until(ctx, "anything to be acknowledged again", func() bool {
		var changed, saved bool
		for _, o := range h.ops {
			if o.Outcome != isDone || o.Kind == reading || o.Start < since.UnixNano() {
				continue
			}
			if o.blind() && !saved || !o.blind() && !changed {
				took = max(took, time.Duration(o.End-since.UnixNano()))
			}
			if saved, changed = saved || o.blind(), changed || !o.blind(); saved && changed {
				return true
			}
		}
		return false
	})
	return took, err
}

// count returns how many operations are so.
func (h *history) count(so func(*op) bool) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	var n int64
	for _, o := range h.ops {
		if so(o) {
			n++
		}
	}
	return n
}

// done is how many read-modify-writes were acknowledged so far, or how many saves in
// batches, where these are fewer.
func (h *history) done() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return min(h.acked, h.saved)
}

// event returns how often something was reported.
func (h *history) event(what string) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.events[what]
}

// all returns the operations by their beginning.
func (h *history) all() []op {
	h.mu.Lock()
	defer h.mu.Unlock()
	ops := make([]op, 0, len(h.ops))
	for _, o := range slices.SortedFunc(maps.Values(h.ops), func(a, b *op) int { return int(a.Start - b.Start) }) {
		ops = append(ops, *o)
	}
	return ops
}

// write puts the history into a file, one operation a line.
func write(out io.Writer, ops []op) error {
	lines := json.NewEncoder(out)
	for _, o := range ops {
		if err := lines.Encode(o); err != nil {
			return err
		}
	}
	return nil
}
