// Package scale says how much of something a test does: what every run has time for, what
// a long run does, and what the race detector leaves time for.
package scale
