package etcdlock

import "context"

// heldKey is the context key of what a Locker holds. It contains the Locker:
// a hold of one Locker means nothing to another.
type heldKey struct{ l *Locker }

// held is what a context holds: the parts of the innermost Lock, and what the
// context that this Lock was taken under holds.
type held struct {
	outer *held
	parts []part
}

func heldIn(ctx context.Context, l *Locker) *held {
	h, _ := ctx.Value(heldKey{l}).(*held)
	return h
}

// find returns the live turn of a name, or why it is over if the context once
// held the name and does not any more.
func (h *held) find(name string) (_ *turn, over error) {
	for ; h != nil; h = h.outer {
		for _, p := range h.parts {
			if p.turn.Name() != name {
				continue
			}
			if p.turn.Live() {
				return p.turn, nil
			}
			if over == nil {
				over = p.turn.Ended()
			}
		}
	}
	return nil, over
}

// over returns why a hold in the context has ended, nil if none has.
func (h *held) over() error {
	for ; h != nil; h = h.outer {
		for _, p := range h.parts {
			if !p.turn.Live() {
				return p.turn.Ended()
			}
		}
	}
	return nil
}

// sortsAfter reports whether a live hold has a name that sorts after name.
func (h *held) sortsAfter(name string) bool {
	for ; h != nil; h = h.outer {
		for _, p := range h.parts {
			if p.turn.Name() > name && p.turn.Live() {
				return true
			}
		}
	}
	return false
}

// under returns what is held once the parts are held too.
func under(outer *held, parts []part) *held {
	if len(parts) == 0 {
		return outer
	}
	return &held{outer: outer, parts: parts}
}

// live returns the turns of what is held, each once.
func (h *held) live() []*turn {
	var turns []*turn
	for _, p := range h.all() {
		if !p.nested && p.turn.Live() {
			turns = append(turns, p.turn)
		}
	}
	return turns
}

// any reports whether anything is held.
func (h *held) any() bool {
	for _, p := range h.all() {
		if p.turn.Live() {
			return true
		}
	}
	return false
}

// all returns every part that is held, outer ones included.
func (h *held) all() []part {
	var parts []part
	for ; h != nil; h = h.outer {
		parts = append(parts, h.parts...)
	}
	return parts
}

// includes reports whether all the parts are among what h holds.
func (h *held) includes(parts []part) bool {
	for _, p := range parts {
		if got, _ := h.find(p.turn.Name()); got != p.turn {
			return false
		}
	}
	return true
}
