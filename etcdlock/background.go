package etcdlock

// maxSpares is how many goroutines with nothing to do a Locker keeps.
const maxSpares = 4

// spawn runs f in the background, where Close waits for it. After Close it
// does nothing and reports false.
//
// A request to etcd goes through so many calls that the stack of a new
// goroutine is moved several times on the way, 8 % of what a client does for a
// handover. So some goroutines are kept for the next.
func (l *Locker) spawn(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false
	}
	select {
	case l.spare <- f:
	default:
		l.bg.Go(func() { l.work(f) })
	}
	return true
}

// work runs f, and what else there is to do.
func (l *Locker) work(f func()) {
	for {
		f()
		if l.spares.Add(1) > maxSpares {
			l.spares.Add(-1)
			return
		}
		select {
		case f = <-l.spare:
			l.spares.Add(-1)
		case <-l.base.Done():
			return
		}
	}
}
