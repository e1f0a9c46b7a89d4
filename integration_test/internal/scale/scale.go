package scale

import (
	"os"
	"time"
)

// Full is how much of something a test does: all of it where HOLDFAST_SOAK is
// set, as `make soak` does, and a tenth otherwise. Few tests look at the
// size by themselves.
func Full[N int | int64 | time.Duration](n N) N {
	if Soak() {
		return n
	}
	return n / 10
}

// FullUnraced is the same, and a fifth of the tenth where the race detector sees
// what a run without it does in the size that was promised.
func FullUnraced[N int | int64](n N) N {
	if Raced && !Soak() {
		return Full(n) / 5
	}
	return Full(n)
}

// Soak says that the tests run in full size.
func Soak() bool { return os.Getenv("HOLDFAST_SOAK") != "" }
