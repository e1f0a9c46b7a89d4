// Package children lets a test start its own binary as another program, for tests of several
// processes.
package children
