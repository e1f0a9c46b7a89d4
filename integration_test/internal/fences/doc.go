// Package fences has fences made by hand, so that holds can overlap as those of a lock never
// should, and databases with the tables for them.
package fences
