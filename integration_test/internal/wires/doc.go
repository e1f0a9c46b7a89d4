// Package wires lets the messages between a database and its client go wrong.
package wires
