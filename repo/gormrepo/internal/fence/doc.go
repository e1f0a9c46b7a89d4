// Package fence keeps the claims of locks in a SQL database, in four tables next to
// those of the entities, and refuses claims that are older than what it has seen.
//
// A repository has one Fence. Show draws claims and runs an attempt at a transaction
// that begins with them: by Raise, which sends them as the first statement, or by
// Behind, which puts a statement of PostgreSQL behind them, so that both are one. Join
// shows them inside of a transaction. Settle tells whether an operation was committed
// whose answer was lost.
package fence
