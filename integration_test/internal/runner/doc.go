// Package runner runs the tests of a package: many side by side, and so that a goroutine
// which they leave behind is a failure.
package runner
