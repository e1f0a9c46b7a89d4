package fence

import (
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
)

// Firm is the collection as the fence needs it: an accepted claim that a new
// primary does not know is none, and what a secondary returns is old.
func Firm(coll *mongo.Collection) command.Collection {
	return command.Collection{Coll: coll.Clone(options.Collection().
		SetWriteConcern(journaledMajority()).SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Primary()))}
}

// Fresh is the collection as a read needs it that prepares a write or explains
// why one was refused: it sees what the write would meet, committed by a
// majority or not.
func Fresh(coll *mongo.Collection) command.Collection {
	return command.Collection{Coll: coll.Clone(options.Collection().SetReadConcern(readconcern.Local()).SetReadPreference(readpref.Primary()))}
}

// FirmTransaction does the same for a transaction, in which those of
// collections do not count.
func FirmTransaction() *options.TransactionOptionsBuilder {
	return options.Transaction().
		SetWriteConcern(journaledMajority()).SetReadConcern(readconcern.Snapshot()).SetReadPreference(readpref.Primary())
}

func journaledMajority() *writeconcern.WriteConcern {
	journal := true
	return &writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal}
}
