// Package servers is for tests on servers that others use at the same time: it finds their
// addresses, and makes names for what a test puts there.
package servers
