// Package check ends a test that cannot go on, and waits for what happens elsewhere.
package check
