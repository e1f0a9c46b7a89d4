//go:build race

package scale

// Raced says that the race detector is on. What is counted in thousands, and
// runs in full without it, may be less then.
const Raced = true
