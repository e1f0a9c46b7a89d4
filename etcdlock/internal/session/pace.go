package session

import (
	"context"
	"math/rand/v2"
	"time"
)

// Clock tells the time since some fixed moment.
type Clock func() time.Duration

// Pause waits for d and reports whether ctx is still going on.
func Pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// Backoff paces retries: from 20 ms, doubling, up to a second, with jitter so
// that the processes of a fleet do not come back in step.
type Backoff struct{ next time.Duration }

// Wait pauses and reports whether ctx is still going on.
func (b *Backoff) Wait(ctx context.Context) bool {
	b.next = min(max(2*b.next, 20*time.Millisecond), time.Second)
	return Pause(ctx, b.next/2+rand.N(b.next/2+1)) //nolint:gosec // jitter need not be secret
}
