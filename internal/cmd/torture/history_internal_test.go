package main

import (
	"context"
	"testing"
	"time"
)

// Work goes on when both an update and a save are acknowledged that began after the fault.
func TestProgress(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	since := time.Unix(0, 100)
	begin := func(kind kind, at int64) *history {
		h := newHistory()
		h.add(0, report{What: isStart, Op: "early save", Kind: saving, At: 50})
		h.add(0, report{What: isDone, Op: "early save", At: 120, Batch: 2})
		h.add(0, report{What: isStart, Op: "update", Kind: counting, At: 101})
		h.add(0, report{What: isDone, Op: "update", At: 110})
		h.add(0, report{What: isStart, Op: "last", Kind: kind, At: at})
		h.add(0, report{What: isDone, Op: "last", At: 130, Batch: 3})
		return h
	}
	for name, c := range map[string]struct {
		h    *history
		goes bool
		done int64
	}{
		"BothGoOn":      {begin(entering, 105), true, 1},
		"SavesDoNot":    {begin(appending, 105), false, 1},
		"SaveWasEarly":  {begin(saving, 90), false, 1},
		"AReadIsNoSave": {begin(reading, 105), false, 1},
	} {
		took, err := c.h.progress(over, since)
		if (err == nil) != c.goes || c.goes && took != 30*time.Nanosecond {
			t.Errorf("%s: got %v, %v", name, took, err)
		}
		if got := c.h.done(); got != c.done {
			t.Errorf("%s: %d are done, want %d", name, got, c.done)
		}
	}
}
