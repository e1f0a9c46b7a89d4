package main

import (
	"context"
	"database/sql"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/repo"
)

// handmade is a fence that is right in the laboratory: every read and every
// write shows the token of an etcd mutex first, in its own transaction. It
// rests on what a service may not give it:
//
//   - The claim of a write is the work of a pool, which a plugin may replace.
//   - The search_path says where the table of the claims is.
//   - Everybody is trusted to lock the same key.
//   - A transaction commits when its callback returns nil, whatever the server
//     did to it meanwhile.
//   - The connection of a transaction stays usable after its end.
type handmade struct {
	b         *backend
	cli       *clientv3.Client
	lock, key string
	pool      *sql.DB
	session   *sql.Conn // of its transactions
}

// handFence is the newest token of a key.
type handFence struct {
	Name  string `gorm:"primaryKey;size:64"`
	Token int64
}

// TableName is the same in every place: no schema stands before it.
func (handFence) TableName() string { return "handmade_fences" }

func openHandmade(ctx context.Context, job workerJob, cli *clientv3.Client, b *backend) (*handmade, error) {
	pool, err := b.db.DB()
	if err != nil {
		return nil, err
	}
	db := b.db.WithContext(ctx)
	if err := db.AutoMigrate(&handFence{}); err != nil {
		return nil, err
	}
	if err := db.Clauses(clause.OnConflict{DoNothing: true}).Create(&handFence{Name: job.Key}).Error; err != nil {
		return nil, err
	}
	session, err := pool.Conn(ctx)
	return &handmade{b, cli, job.Namespace + job.Key, job.Key, pool, session}, err
}

func (g *handmade) close(context.Context) error { return g.session.Close() }

// on is GORM on a connection.
func (g *handmade) on(ctx context.Context, pool gorm.ConnPool) *gorm.DB {
	db := g.b.db.Session(&gorm.Session{NewDB: true, Context: ctx, SkipDefaultTransaction: true})
	db.Statement.ConnPool = pool
	return db
}

// raise shows the token, as the first statement of a transaction.
func (g *handmade) raise(ctx context.Context, pool gorm.ConnPool, token int64) error {
	raised := g.on(ctx, pool).Model(&handFence{}).Where("name = ? AND token <= ?", g.key, token).Update("token", token)
	if raised.Error == nil && raised.RowsAffected == 0 {
		return repo.ErrFenced
	}
	return raised.Error
}

// claimed runs fn in a transaction that has shown the token.
func (g *handmade) claimed(ctx context.Context, token int64, fn func(tx *sql.Tx) error) error {
	tx, err := g.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err = g.raise(ctx, tx, token); err == nil {
		err = fn(tx)
	}
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (g *handmade) do(ctx context.Context, c change) (written bool, err error) {
	return underMutex(ctx, g.cli, g.lock, func(m *concurrency.Mutex) error {
		token, err := tokenOf(ctx, g.cli, m)
		if err != nil {
			return err
		}
		var r Record
		err = g.claimed(ctx, token, func(tx *sql.Tx) error { return g.on(ctx, tx).First(&r, "id = ?", c.ids[0]).Error })
		if err != nil {
			return err
		}
		if err := c.make([]*Record{&r}); err != nil {
			return err
		}
		return overwrite(g.on(ctx, &claimPool{g.pool, g, token}), &r)
	})
}

func overwrite(db *gorm.DB, r *Record) error { return db.Select("*").Updates(r).Error }

// claimPool puts a claim before each statement that writes.
type claimPool struct {
	*sql.DB
	guard *handmade
	token int64
}

// ExecContext shows the token and writes, in one transaction.
func (p *claimPool) ExecContext(ctx context.Context, text string, args ...any) (res sql.Result, err error) {
	err = p.guard.claimed(ctx, p.token, func(tx *sql.Tx) (err error) {
		res, err = tx.ExecContext(ctx, text, args...)
		return err
	})
	return res, err
}

// inTx runs fn in a transaction of statements: it ends with COMMIT when fn
// returns nil.
func (g *handmade) inTx(ctx context.Context, fn func(ctx context.Context, h hands) error) (written bool, err error) {
	return underMutex(ctx, g.cli, g.lock, func(m *concurrency.Mutex) error {
		token, err := tokenOf(ctx, g.cli, m)
		if err != nil {
			return err
		}
		begin := "BEGIN"
		if g.b.place.Store == onSQLite {
			begin = "BEGIN IMMEDIATE"
		}
		if _, err := g.session.ExecContext(ctx, begin); err != nil {
			return err
		}
		if err = g.raise(ctx, g.session, token); err == nil {
			err = fn(ctx, handmadeHands{g})
		}
		if err != nil {
			_, ended := g.session.ExecContext(ctx, "ROLLBACK")
			return errors.Join(err, ended)
		}
		_, err = g.session.ExecContext(ctx, "COMMIT")
		return err
	})
}

// handmadeHands work on the connection of the transaction.
type handmadeHands struct{ g *handmade }

func (h handmadeHands) read(ctx context.Context, id string) (*Record, error) {
	var r Record
	return &r, h.g.on(ctx, h.g.session).First(&r, "id = ?", id).Error
}

func (h handmadeHands) write(ctx context.Context, r *Record) error {
	return overwrite(h.g.on(ctx, h.g.session), r)
}

func (h handmadeHands) query(ctx context.Context, native func(*gorm.DB) *gorm.DB) error {
	return native(h.g.on(ctx, h.g.session)).Find(&[]Record{}).Error
}
