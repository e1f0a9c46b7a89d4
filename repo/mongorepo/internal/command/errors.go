package command

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// duplicateKeyCodes are the server's codes for a broken unique index, today's
// and older ones.
var duplicateKeyCodes = [...]int{11000, 11001, 12582} //nolint:gochecknoglobals // a table, never written to

// IsDuplicateKey looks at the codes itself, because the driver's own test is
// false for the error of a client-level bulk write.
func IsDuplicateKey(err error) bool {
	for _, code := range mongo.ErrorCodes(err) {
		if slices.Contains(duplicateKeyCodes[:], code) {
			return true
		}
	}
	return false
}

// OnID tells whether a duplicate key error speaks of the index on _id.
func OnID(err error) bool { return strings.Contains(err.Error(), " _id_ ") }

// WasLost tells whether a command may have been done although it failed.
func WasLost(err error) bool {
	we := mongo.WriteException{}
	bwe := mongo.BulkWriteException{}
	return mongo.IsNetworkError(err) || mongo.IsTimeout(err) || errors.Is(err, context.Canceled) ||
		errors.As(err, &we) && we.WriteConcernError != nil || errors.As(err, &bwe) && bwe.WriteConcernError != nil
}

// The labels that servers and driver put on errors of transactions.
const (
	TransientTransaction = "TransientTransactionError"
	UnknownCommit        = "UnknownTransactionCommitResult"
)
