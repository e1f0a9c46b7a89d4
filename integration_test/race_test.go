//go:build race

package integration_test

// raced says that the race detector is on. What is counted in thousands, and
// runs in full without it, may be less then.
const raced = true
