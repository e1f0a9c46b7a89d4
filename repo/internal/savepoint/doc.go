// Package savepoint carries the wish for a savepoint to the next nested InTx.
package savepoint
