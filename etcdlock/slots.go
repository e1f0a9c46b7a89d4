package etcdlock

import "strconv"

// takePlace gives the entry a key that is not in the queue, and that nothing
// under way can put there or take away.
func (e *entry) takePlace() {
	e.number, e.others = e.lease.Slots.Draw(e.name)
	e.key = e.leasePrefix() + strconv.FormatUint(e.number, 10)
}

// vacate lets others use the entry's key. It is not in the queue any more, and
// whatever may arrive late is guarded by its create revision.
func (e *entry) vacate() { e.lease.Slots.GiveBack(e.name, e.number) }

// leasePrefix is what all keys of the entry's lease in the queue begin with.
func (e *entry) leasePrefix() string { return e.prefix + e.lease.Name() + "-" }
