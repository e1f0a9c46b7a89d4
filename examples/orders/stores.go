package main

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/examples/orders/shop"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// openStores makes the repositories of the shop.
func openStores(c *connections) (s shop.Stores, err error) {
	customers, err := open[shop.Customer](c, "shop.Customer")
	if err != nil {
		return s, err
	}
	products, err := open[shop.Product](c, "shop.Product")
	if err != nil {
		return s, err
	}
	orders, err := open[shop.Order](c, "shop.Order")
	if err != nil {
		return s, err
	}
	s = shop.Stores{Customers: customers, Products: products, Orders: orders}
	s.InTx = func(ctx context.Context, fn func(ctx context.Context) error) error {
		return lockedrepo.InTx(ctx, fn, orders, products, customers)
	}
	return s, nil
}

func open[T any](c *connections, name string) (*lockedrepo.Repository[T], error) {
	plain, err := gormrepo.New[T](c.db, nil)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	return lockedrepo.New(plain, c.locker, &lockedrepo.Options{Key: name})
}
