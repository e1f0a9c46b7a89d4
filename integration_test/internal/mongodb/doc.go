// Package mongodb gives tests databases, collections and repositories on MongoDB or on the
// stand-in for it.
package mongodb
