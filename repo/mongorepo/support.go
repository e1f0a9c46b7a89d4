package mongorepo

import (
	"context"
	"fmt"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
)

// support remembers that the server has transactions. A server never loses
// them; that it has none is asked again, because a standalone server can become
// a replica set.
type support struct{ known atomic.Bool }

func (s *support) check(ctx context.Context, cli *mongo.Client) error {
	if s.known.Load() {
		return nil
	}
	var hello struct {
		SetName string `bson:"setName"`
		Msg     string `bson:"msg"`
	}
	err := cli.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
	if err != nil {
		return fmt.Errorf("asking the server for transactions: %w", err)
	}
	if hello.SetName == "" && hello.Msg != "isdbgrid" {
		return fmt.Errorf("%w: transactions need a replica set or a sharded cluster", repo.ErrUnsupported)
	}
	s.known.Store(true)
	return nil
}
