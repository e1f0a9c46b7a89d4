package command

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Collection sends commands to a collection. All commands go this way, so that
// none runs in a transaction that is over or spoiled, and none fails in one
// without spoiling it.
type Collection struct{ Coll *mongo.Collection }

// run sends a command, in the transaction that ctx carries.
func (c Collection) run(ctx context.Context, writes bool, send func() error) error {
	t, err := TransactionOf(ctx, c.Coll.Database().Client(), writes)
	if err != nil {
		return err
	}
	if t == nil {
		return send()
	}
	return t.run(send)
}

// FindOne returns one document, or mongo.ErrNoDocuments.
func (c Collection) FindOne(ctx context.Context, filter bson.D, opts ...options.Lister[options.FindOneOptions]) (raw bson.Raw, err error) {
	err = c.run(ctx, false, func() (err error) {
		raw, err = c.Coll.FindOne(ctx, filter, opts...).Raw()
		return err
	})
	return raw, err
}

// Find calls fn with every document found, which the next one overwrites.
func (c Collection) Find(ctx context.Context, filter bson.D, opts *options.FindOptionsBuilder, fn func(bson.Raw) error) error {
	var failed error
	err := c.run(ctx, false, func() error {
		cur, err := c.Coll.Find(ctx, filter, opts)
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

// Count counts the documents of a filter.
func (c Collection) Count(ctx context.Context, filter bson.D) (n int64, err error) {
	err = c.run(ctx, false, func() (err error) {
		n, err = c.Coll.CountDocuments(ctx, filter)
		return err
	})
	return n, err
}

// FindOneAndUpdate changes one document and returns it, or mongo.ErrNoDocuments.
func (c Collection) FindOneAndUpdate(ctx context.Context, filter, update bson.D, opts ...options.Lister[options.FindOneAndUpdateOptions]) (raw bson.Raw, err error) {
	err = c.run(ctx, true, func() (err error) {
		raw, err = c.Coll.FindOneAndUpdate(ctx, filter, update, opts...).Raw()
		return err
	})
	return raw, err
}

// InsertOne inserts one document.
func (c Collection) InsertOne(ctx context.Context, doc bson.D) error {
	return c.run(ctx, true, func() error {
		_, err := c.Coll.InsertOne(ctx, doc)
		return err
	})
}

// UpdateOne changes one document.
func (c Collection) UpdateOne(ctx context.Context, filter, update bson.D, opts ...options.Lister[options.UpdateOneOptions]) (res *mongo.UpdateResult, err error) {
	err = c.run(ctx, true, func() (err error) {
		res, err = c.Coll.UpdateOne(ctx, filter, update, opts...)
		return err
	})
	return res, err
}

// UpdateMany changes all documents of a filter, each by itself.
func (c Collection) UpdateMany(ctx context.Context, filter, update bson.D) (res *mongo.UpdateResult, err error) {
	err = c.run(ctx, true, func() (err error) {
		res, err = c.Coll.UpdateMany(ctx, filter, update)
		return err
	})
	return res, err
}

// ReplaceOne puts another document in the place of one.
func (c Collection) ReplaceOne(ctx context.Context, filter, doc bson.D) (res *mongo.UpdateResult, err error) {
	err = c.run(ctx, true, func() (err error) {
		res, err = c.Coll.ReplaceOne(ctx, filter, doc)
		return err
	})
	return res, err
}

// DeleteMany removes all documents of a filter, each by itself.
func (c Collection) DeleteMany(ctx context.Context, filter bson.D) (res *mongo.DeleteResult, err error) {
	err = c.run(ctx, true, func() (err error) {
		res, err = c.Coll.DeleteMany(ctx, filter)
		return err
	})
	return res, err
}

// BulkWrite is not ordered.
func (c Collection) BulkWrite(ctx context.Context, models []mongo.WriteModel) (res *mongo.BulkWriteResult, err error) {
	err = c.run(ctx, true, func() (err error) {
		res, err = c.Coll.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		return err
	})
	return res, err
}
