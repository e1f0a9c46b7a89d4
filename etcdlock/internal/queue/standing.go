package queue

// Standing is how an owner stands in its queue.
type Standing struct {
	Known     bool // the snapshot tells; else all that follows is false
	Missing   bool // the key is gone
	Successor bool // somebody is behind
	Asked     bool // by a try, which wants to know whether the hold lingers
}

// Standing tells, from the snapshot, how the node stands.
func (n *Node) Standing() (s Standing) {
	q := n.q
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.snapshots == nil {
		return s
	}
	places := q.snapshots.snapshot.places
	at, known := q.snapshots.snapshot.find(n.place())
	if !known {
		return s
	}
	s.Known, s.Missing = true, at < 0
	if at >= 0 {
		for _, p := range places[at+1:] {
			s.Successor, s.Asked = true, s.Asked || asks(p.key)
		}
	}
	return s
}

// Waited reports whether the node had a predecessor of another process.
func (n *Node) Waited() bool { return n.waited }

// HasSuccessor reports whether what made the node the owner told that somebody is behind, or the
// snapshot does.
func (n *Node) HasSuccessor() bool { return n.hasSuccessor || n.Standing().Successor }
