package etcdlock

import "time"

// Hooks are told what happens to the locks of a Locker, for metrics and
// traces. Each may be nil. They are called by several goroutines at a time, on
// the way of the call they tell of: they must be quick, and must not call the
// Locker. Names are entity types or the like, few enough to label metrics by.
type Hooks struct {
	// Waited is told of every call of Lock, TryLock, LockWithTTL and Do: the names
	// as given, how long it took to get them, and the error. The slice must not
	// be changed.
	Waited func(names []string, wait time.Duration, err error)
	// Taken is told of every name that a call has taken. Turn 1 means that it
	// came from etcd, a higher one that this process had it already. Nested
	// Locks take nothing.
	Taken func(name string, token, turn int64)
	// Held is told of every name that Unlock gives back, and for how long it
	// was held.
	Held func(name string, held time.Duration)
	// Lost is told of every hold that is lost, whether in use or lingering.
	Lost func(name string, cause error)
	// KeptAlive is told of every keepalive: how long etcd took to answer, and
	// the error if it did not.
	KeptAlive func(took time.Duration, err error)
	// Unknown is told of every write that etcd did not answer, so that nobody
	// knows whether it was done: "enqueue", "release", or "exchange", which is
	// both in one. It is then repeated, or undone, until that is certain.
	Unknown func(name, write string, cause error)
}

// The methods of Hooks call those that are there.

func (h *Hooks) taken(parts []part) {
	if h.Taken == nil {
		return
	}
	for _, p := range parts {
		if !p.nested {
			h.Taken(p.turn.Name(), p.turn.Node.Token(), p.turn.N)
		}
	}
}

func (h *Hooks) held(t *turn) {
	if h.Held != nil {
		h.Held(t.Name(), time.Since(t.Begun))
	}
}

func (h *Hooks) keptAlive(took time.Duration, err error) {
	if h.KeptAlive != nil {
		h.KeptAlive(took, err)
	}
}

func (h *Hooks) lost(name string, cause error) {
	if h.Lost != nil {
		h.Lost(name, cause)
	}
}

func (h *Hooks) unknown(name, write string, cause error) {
	if h.Unknown != nil {
		h.Unknown(name, write, cause)
	}
}
