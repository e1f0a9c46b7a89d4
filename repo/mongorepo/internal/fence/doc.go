// Package fence keeps claims in documents of MongoDB: in the field _f of each document
// the newest claim of every lock, for transactions in a document of each lock, and
// for each collection the key that guards it.
//
//	f := fence.New(coll)
//	claims, err := f.Claims(ctx) // those of the context, with the next attempt
//	if err != nil {
//		return err
//	}
//	filter := command.And(byID, claims.Accept())
//	update := command.SetUnset(claims.Set(), nil) // stored where they are accepted
//
// A document that does not accept them is found by its id alone, and RefusedBy says why.
// The package knows documents and no entities. It repeats nothing.
package fence
