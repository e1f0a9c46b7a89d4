package etcdlock

import "context"

// ForceLock takes all the names at once, also from those who hold or wait for them: it puts itself into
// each queue and removes all places in front, as Evict does, those of this process included.
// It is for operators; nothing keeps a holder's work from going on until it notices that its
// context has ended with ErrLost. The token is greater than that of everybody who was removed,
// so a store that is shown tokens refuses what such a holder does later. When several do so at
// the same time, the last one has the lock.
//
// The Lock is renewed like any other, on a lease of its own, and does not linger. A name that
// ctx holds already is refused with ErrInvalid.
//
// Errors: those of Lock except ErrOrder; ErrTimeout if ctx ended first.
func (l *Locker) ForceLock(ctx context.Context, names ...string) (*Lock, error) {
	return l.lock(ctx, request{doing: "locking by force", names: names, wait: true, force: true})
}
