package cohort

import "time"

const (
	// A hold is taken again after so many turns or so long, so that its token
	// moves on and the number of a turn stays small.
	maxTurnsOfHold = 1 << 20
	maxAgeOfHold   = time.Minute
)

// want notes that somebody queues behind, from when on the budget counts.
func (h *Hold) want() {
	if !h.wanted {
		h.wanted, h.since, h.spent = true, time.Now(), h.turns
	}
}

// passes reports whether the hold may be used for another turn.
func (h *Hold) passes() bool { return h.hasBudget() && h.node.Alive() }

// hasBudget is passes, as far as it can be told without the clock of the lease: asking
// that is most of what taking a lock again costs.
func (h *Hold) hasBudget() bool {
	if h.retired || h.ctx.Err() != nil {
		return false
	}
	if h.turns == 0 {
		return true
	}
	if h.turns >= maxTurnsOfHold || time.Since(h.begun) >= maxAgeOfHold {
		return false
	}
	a := h.c.all
	if a.MaxTurns < 0 {
		return false
	}
	return !h.wanted || h.turns-h.spent < int64(a.MaxTurns) && time.Since(h.since) < a.MaxHold
}
