package main

import (
	"context"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// leaseGuard puts a key on a lease of one second that nobody renews, as many
// hand-made locks do. Its steps take their turn one at a time.
type leaseGuard struct {
	bare
	cli    *clientv3.Client
	prefix string
}

func (g *leaseGuard) do(ctx context.Context, c change) (written bool, err error) {
	key := g.prefix + lockName
	rev, err := g.lock(ctx, key)
	if err != nil {
		return false, err
	}
	defer func() {
		_, unlock := g.cli.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(key), "=", rev)).Then(clientv3.OpDelete(key)).Commit()
		err = errors.Join(err, unlock)
	}()
	return g.bare.do(ctx, c)
}

func (g *leaseGuard) lock(ctx context.Context, key string) (rev int64, err error) {
	for {
		lease, err := g.cli.Grant(ctx, 1)
		if err != nil {
			return 0, err
		}
		resp, err := g.cli.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
			Then(clientv3.OpPut(key, "", clientv3.WithLease(lease.ID))).Commit()
		if err != nil {
			return 0, err
		}
		if resp.Succeeded {
			return resp.Header.Revision, nil
		}
		if !wait(ctx, heartbeat) {
			return 0, context.Cause(ctx)
		}
	}
}

// mutexGuard uses the mutex that comes with etcd's client, on a session of its
// own for every change: one that was revoked would be noticed late.
type mutexGuard struct {
	b       *backend
	cli     *clientv3.Client
	name    string
	atWrite bool // the token is checked where the write is
}

func (g *mutexGuard) do(ctx context.Context, c change) (written bool, err error) {
	return underMutex(ctx, g.cli, g.name, func(m *concurrency.Mutex) error {
		if !g.atWrite {
			_, err := bare{g.b}.do(ctx, c)
			return err
		}
		token, err := tokenOf(ctx, g.cli, m)
		if err != nil {
			return err
		}
		one, err := g.b.repo.FindByID(ctx, c.ids[0])
		if err != nil {
			return err
		}
		if err := c.make([]*Record{one}); err != nil {
			return err
		}
		return g.b.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return saveIfNewest(ctx, tx, token, one) })
	})
}

// underMutex runs work, which writes, while it holds the mutex.
func underMutex(ctx context.Context, cli *clientv3.Client, name string, work func(m *concurrency.Mutex) error) (written bool, err error) {
	session, err := concurrency.NewSession(cli, concurrency.WithTTL(int(ttl.Seconds())))
	if err != nil {
		return false, err
	}
	defer func() { _ = session.Close() }() // its lease may be gone already
	m := concurrency.NewMutex(session, name)
	if err := m.Lock(ctx); err != nil {
		return false, err
	}
	defer func() {
		if unlock := m.Unlock(ctx); !errors.Is(unlock, concurrency.ErrLockReleased) {
			err = errors.Join(err, unlock)
		}
	}()
	err = work(m)
	return err == nil, err
}

// tokenOf is the create revision of the mutex's key, read once while it is held.
func tokenOf(ctx context.Context, cli *clientv3.Client, m *concurrency.Mutex) (int64, error) {
	resp, err := cli.Get(ctx, m.Key())
	if err != nil {
		return 0, err
	}
	if len(resp.Kvs) == 0 {
		return 0, concurrency.ErrSessionExpired
	}
	return resp.Kvs[0].CreateRevision, nil
}

// writeFence is the fence of the articles: the store remembers the newest token
// that it was written with, and refuses older ones.
type writeFence struct {
	Name  string `gorm:"primaryKey;size:64"`
	Token int64
}

func saveIfNewest(ctx context.Context, tx *gorm.DB, token int64, r *Record) error {
	upsert := tx.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "name"}},
		DoUpdates: clause.AssignmentColumns([]string{"token"}),
		Where:     clause.Where{Exprs: []clause.Expression{gorm.Expr("write_fences.token <= excluded.token")}},
	}).Create(&writeFence{lockName, token})
	if upsert.Error != nil {
		return upsert.Error
	}
	if upsert.RowsAffected == 0 {
		return repo.ErrFenced
	}
	records, err := gormrepo.New[Record](tx, nil)
	if err != nil {
		return err
	}
	return records.Save(ctx, r)
}

func (*mutexGuard) close(context.Context) error { return nil }
