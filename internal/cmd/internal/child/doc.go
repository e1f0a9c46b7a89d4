// Package child lets a program run parts of itself in processes of their own. A
// child is the same executable in a role, with a job. It is its parent's to
// end: it takes no notice of interrupts, and ends when its input does, so that
// it never outlives the parent.
package child
