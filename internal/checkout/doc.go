// Package checkout gives tests the files of this repository, and says of a Go command
// that failed whether it failed for want of a network.
package checkout
