package queue

import "strconv"

// takeSlot gives the node a key that is not in the queue, and that nothing
// under way can put there or take away.
func (n *Node) takeSlot() {
	n.number, n.others = n.lease.Slots.Draw(n.q.name())
	n.key = n.leasePrefix() + strconv.FormatUint(n.number, 10)
}

// vacate lets others use the node's key. It is not in the queue any more, and
// whatever may arrive late is guarded by its create revision.
func (n *Node) vacate() { n.lease.Slots.GiveBack(n.q.name(), n.number) }

// leasePrefix is what all keys of the node's lease in the queue begin with.
func (n *Node) leasePrefix() string { return n.q.path + n.lease.Name() + "-" }
