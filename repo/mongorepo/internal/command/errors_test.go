package command_test

import (
	"errors"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
)

func TestIsDuplicateKey(t *testing.T) {
	t.Parallel()
	broken := mongo.WriteError{Code: 11000, Message: "E11000 duplicate key error"}
	for name, err := range map[string]error{
		"Write":   mongo.WriteException{WriteErrors: mongo.WriteErrors{broken}},
		"Bulk":    mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{{WriteError: broken}}},
		"Command": mongo.CommandError{Code: 11000},
		// The driver's own test is false for this one.
		"ClientBulk": mongo.ClientBulkWriteException{WriteErrors: map[int]mongo.WriteError{3: broken}},
		"Wrapped":    fmt.Errorf("saving: %w", mongo.CommandError{Code: 11001}),
	} {
		if !command.IsDuplicateKey(err) {
			t.Errorf("%s is not seen as a duplicate key", name)
		}
	}
	for name, err := range map[string]error{
		"Nil": nil, "Other": errors.New("E11000"), "OtherCode": mongo.CommandError{Code: 112},
	} {
		if command.IsDuplicateKey(err) {
			t.Errorf("%s is seen as a duplicate key", name)
		}
	}
}
