//go:build !race

package scale

// Raced says that the race detector is off.
const Raced = false
