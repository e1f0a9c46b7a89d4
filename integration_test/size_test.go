package integration_test

import (
	"os"
	"time"
)

// full is how much of something a test does: all of it where HOLDFAST_SOAK is
// set, as `make soak` does, and a tenth otherwise. Few tests look at the
// size by themselves.
func full[N int | int64 | time.Duration](n N) N {
	if soak() {
		return n
	}
	return n / 10
}

// fullUnraced is the same, and a fifth of the tenth where the race detector sees
// what a run without it does in the size that was promised.
func fullUnraced[N int | int64](n N) N {
	if raced && !soak() {
		return full(n) / 5
	}
	return full(n)
}

func soak() bool { return os.Getenv("HOLDFAST_SOAK") != "" }
