//go:build !linux

package session

import "time"

// NewClock returns the monotonic clock of the Go runtime.
func NewClock() Clock {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
