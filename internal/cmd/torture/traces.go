package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// left names something that a cell has left behind, if there is anything.
func (c *cell) left(ctx context.Context) (string, error) {
	for _, prefix := range []string{c.namespace, "holdfast/"} {
		resp, err := c.cluster.cli.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
		if err != nil {
			return "etcd does not tell what", err
		}
		if resp.Count > 0 {
			return fmt.Sprintf("%s in etcd", resp.Kvs[0].Key), nil
		}
	}
	leases, err := c.cluster.cli.Leases(ctx)
	if err != nil {
		return "etcd does not tell which lease", err
	}
	// A weaker design may leave a lease for its second.
	if len(leases.Leases) > 0 {
		return fmt.Sprintf("lease %x", leases.Leases[0].ID), nil
	}
	open, err := c.store.transactions(ctx, c.place)
	if open > 0 {
		return fmt.Sprintf("%d transactions", open), err
	}
	return "", err
}

// transactions returns how many are open in a place whose workers have ended.
func (s store) transactions(ctx context.Context, p place) (open int64, err error) {
	if s.name == onMongoDB {
		return 0, nil
	}
	b, err := openBackend(ctx, p.primary())
	if err != nil {
		return 0, err
	}
	defer b.close()
	db := b.db.WithContext(ctx)
	switch s.name {
	case onPostgres:
		err = db.Raw("SELECT count(*) FROM pg_stat_activity WHERE application_name = ? AND xact_start IS NOT NULL AND pid <> pg_backend_pid()", p.Name).Scan(&open).Error
	case onMariaDB:
		err = db.Raw("SELECT count(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id WHERE p.db = ?", p.Name).Scan(&open).Error
	case onSQLite:
		// Only when nobody has the file can one write to it.
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err = b.db.WithContext(ctx).Exec("UPDATE records SET n = n WHERE 1 = 0").Error; errors.Is(err, context.DeadlineExceeded) {
			return 1, nil
		}
	}
	return open, err
}
