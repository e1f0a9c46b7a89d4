//go:build !linux

package etcdlock

import "time"

// newClock returns the monotonic clock of the Go runtime.
func newClock() clock {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
