//go:build race

package fencesim_test

// raced says that the race detector is on. It makes a search ten times as slow
// and has nothing to find in one, so the searches are smaller then.
const raced = true
