package mongorepo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// commands sends commands to a collection. All commands go this way, so that
// none runs in a transaction that is over or spoiled, and none fails in one
// without spoiling it.
type commands struct{ coll *mongo.Collection }

// run sends a command, in the transaction that ctx carries.
func (c commands) run(ctx context.Context, writes bool, send func() error) error {
	t, err := transactionOf(ctx, c.coll.Database().Client(), writes)
	if err != nil {
		return err
	}
	if t == nil {
		return send()
	}
	return t.run(send)
}

type outsideKey struct{}

// outside takes the transaction out of ctx.
func outside(ctx context.Context) context.Context {
	return context.WithValue(mongo.NewSessionContext(ctx, nil), outsideKey{}, true)
}

// transactionOf is the transaction of cli that a command with ctx joins, nil
// for none. A session of the user counts for none. Reads stay outside of the
// transaction of another store; a write would do so without a word.
func transactionOf(ctx context.Context, cli *mongo.Client, writes bool) (*transaction, error) {
	tx, ok := driver.TxFrom(ctx)
	if !ok || tx.Store == nil || ctx.Value(outsideKey{}) != nil {
		return nil, nil
	}
	t, ours := tx.Handle.(*transaction)
	session := mongo.SessionFromContext(ctx)
	switch {
	case !ours && session == nil && !writes:
		return nil, nil
	case !ours || tx.Store != any(cli):
		return nil, fmt.Errorf("%w: the context carries the transaction of another database", repo.ErrInTx)
	case t.session != session:
		return nil, fmt.Errorf("%w: the context carries another session than its transaction's", repo.ErrInTx)
	}
	return t, nil
}

// inAnotherStores tells whether ctx carries the transaction of a store that is
// no MongoDB.
func inAnotherStores(ctx context.Context) bool {
	tx, ok := driver.TxFrom(ctx)
	_, ours := tx.Handle.(*transaction)
	return ok && tx.Store != nil && !ours
}

func (c commands) findOne(ctx context.Context, filter bson.D, opts ...options.Lister[options.FindOneOptions]) (raw bson.Raw, err error) {
	err = c.run(ctx, false, func() (err error) {
		raw, err = c.coll.FindOne(ctx, filter, opts...).Raw()
		return err
	})
	return raw, err
}

// find calls fn with every document found, which the next one overwrites.
func (c commands) find(ctx context.Context, filter bson.D, opts *options.FindOptionsBuilder, fn func(bson.Raw) error) error {
	var failed error
	err := c.run(ctx, false, func() error {
		cur, err := c.coll.Find(ctx, filter, opts)
		if err != nil {
			return err
		}
		// The cursor must go back even when the caller's context is done.
		defer func() { _ = cur.Close(context.WithoutCancel(ctx)) }()
		for cur.Next(ctx) {
			if failed = fn(cur.Current); failed != nil {
				return nil
			}
		}
		return cur.Err()
	})
	if err == nil {
		err = failed
	}
	return err
}

func (c commands) count(ctx context.Context, filter bson.D) (n int64, err error) {
	err = c.run(ctx, false, func() (err error) {
		n, err = c.coll.CountDocuments(ctx, filter)
		return err
	})
	return n, err
}

func (c commands) findOneAndUpdate(ctx context.Context, filter, update bson.D, opts ...options.Lister[options.FindOneAndUpdateOptions]) (raw bson.Raw, err error) {
	err = c.run(ctx, true, func() (err error) {
		raw, err = c.coll.FindOneAndUpdate(ctx, filter, update, opts...).Raw()
		return err
	})
	return raw, err
}

func (c commands) insertOne(ctx context.Context, doc bson.D) error {
	return c.run(ctx, true, func() error {
		_, err := c.coll.InsertOne(ctx, doc)
		return err
	})
}

func (c commands) updateOne(ctx context.Context, filter, update bson.D, opts ...options.Lister[options.UpdateOneOptions]) (res *mongo.UpdateResult, err error) {
	err = c.run(ctx, true, func() (err error) {
		res, err = c.coll.UpdateOne(ctx, filter, update, opts...)
		return err
	})
	return res, err
}

func (c commands) updateMany(ctx context.Context, filter, update bson.D) (res *mongo.UpdateResult, err error) {
	err = c.run(ctx, true, func() (err error) {
		res, err = c.coll.UpdateMany(ctx, filter, update)
		return err
	})
	return res, err
}

func (c commands) replaceOne(ctx context.Context, filter, doc bson.D) (res *mongo.UpdateResult, err error) {
	err = c.run(ctx, true, func() (err error) {
		res, err = c.coll.ReplaceOne(ctx, filter, doc)
		return err
	})
	return res, err
}

func (c commands) deleteMany(ctx context.Context, filter bson.D) (res *mongo.DeleteResult, err error) {
	err = c.run(ctx, true, func() (err error) {
		res, err = c.coll.DeleteMany(ctx, filter)
		return err
	})
	return res, err
}

// bulkWrite is not ordered.
func (c commands) bulkWrite(ctx context.Context, models []mongo.WriteModel) (res *mongo.BulkWriteResult, err error) {
	err = c.run(ctx, true, func() (err error) {
		res, err = c.coll.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		return err
	})
	return res, err
}
