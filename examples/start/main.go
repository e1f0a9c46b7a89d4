// Command start is the program of docs/start.md. It reads holdfast.yaml in the folder in
// which it is started.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// Order is an entity like those that a service already has.
type Order struct {
	ID    int64 `gorm:"primaryKey"`
	Buyer string
	Total int64
}

// TableName keeps this example out of tables that you have.
func (Order) TableName() string { return "holdfast_example_orders" }

func run(ctx context.Context) error {
	cfg, err := drivers.Load("holdfast.yaml")
	if err != nil {
		return err
	}
	db, err := drivers.OpenSQL(ctx, cfg.SQL)
	if err != nil {
		return err
	}
	if err := db.AutoMigrate(&Order{}); err != nil { // not on tables that a Java service made
		return err
	}
	if err := gormrepo.MigrateFence(ctx, db); err != nil { // adds tables of its own, holdfast_*
		return err
	}
	client, err := drivers.OpenEtcd(ctx, cfg.Etcd)
	if err != nil {
		return err
	}
	defer client.Close()
	locker, err := etcdlock.New(client, nil) // one per process
	if err != nil {
		return err
	}
	defer locker.Close(ctx)

	plain, err := gormrepo.New[Order](db, nil) // on your *gorm.DB
	if err != nil {
		return err
	}
	orders, err := lockedrepo.New(plain, locker, nil) // what your code uses
	if err != nil {
		return err
	}

	_, err = orders.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id": 1, "buyer": "Ann", "total": 20}`}})
	if err != nil {
		return err
	}
	o, err := orders.Update(ctx, 1, func(o *Order) error { // read, change and save inside the lock
		o.Total += 5
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Println(o.Buyer, "pays", o.Total)
	return nil
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
