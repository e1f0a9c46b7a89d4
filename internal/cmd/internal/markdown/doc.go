// Package markdown writes what a program has found into a document, between two
// marks: all around them is written by hand and stays.
package markdown
