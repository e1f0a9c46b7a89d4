package cohort

import "time"

// lingers reports whether the hold may stay although nobody uses it. One that
// others had to leave first does not stay before it is certain that none of
// them is back: where processes compete, every wait would be longer by that. Whether its
// lease is valid is asked when the hold is used again.
func (h *Hold) lingers() bool {
	a := h.c.all
	return a.Linger > 0 && h.alone && !h.wanted && a.Closing.Err() == nil && h.hasBudget()
}

// linger starts the time for which the hold stays, if that is not running.
func (h *Hold) linger() {
	if h.idle.on {
		return
	}
	d := h.c.all.Linger
	h.idle.on, h.idle.until = true, time.Now().Add(d)
	if h.idle.timer == nil {
		h.idle.timer = time.AfterFunc(d, h.idled)
	} else {
		h.idle.timer.Reset(d)
	}
	h.c.queue.Watch()
}

// idled parts with a hold that has lingered for its time. The timer may have
// fired just before the hold was used and left again.
func (h *Hold) idled() {
	c := h.c
	c.all.mu.Lock()
	var leaves *Hold
	if c.hold == h && h.idle.on && !time.Now().Before(h.idle.until) {
		leaves = c.detach()
	}
	c.all.mu.Unlock()
	c.all.LetGo(leaves)
}
