package integration_test

import (
	"os"
	"time"
)

// full is how much of something a test does: all of it where HOLDFAST_SOAK is
// set, as `make soak` does, and a tenth otherwise. No other test looks at the
// size by itself.
func full[N int | int64 | time.Duration](n N) N {
	if os.Getenv("HOLDFAST_SOAK") != "" {
		return n
	}
	return n / 10
}
