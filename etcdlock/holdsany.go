package etcdlock

import "context"

// HoldsAny tells whether ctx carries a Lock of this Locker, of any name. A call of
// Lock under it is nested, and follows the order rule.
func (l *Locker) HoldsAny(ctx context.Context) bool { return heldIn(ctx, l) != nil }
