// Package command sends commands to MongoDB in the transaction that a context
// carries, and tells the kinds of their errors apart. It is below what knows of
// entities and of claims:
//
//	orders := command.Collection{Coll: coll}
//	raw, err := orders.FindOne(ctx, command.And(byID, live))
//	if command.WasLost(err) {
//		// it may have happened
//	}
//
// A command that fails spoils its transaction, as on the server, and one that is over
// takes none. The package repeats nothing.
package command
