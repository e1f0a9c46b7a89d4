package lockedrepo_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

type Order struct {
	ID    int64  `json:"id"`
	Buyer string `json:"buyer"`
	Total int64  `json:"total"`

	Customer, Product, Amount int64
}

type Customer struct{ ID int64 }

type Product struct{ ID, Stock int64 }

func (p *Product) take(n int64) error {
	if p.Stock < n {
		return errors.New("sold out")
	}
	p.Stock -= n
	return nil
}

// Unit tests of code that uses locked repositories need no server.
func TestWithoutServers(t *testing.T) {
	t.Parallel()
	locker := locktest.NewLocal(t, nil) // a real Locker on an etcd in memory
	inner, err := memrepo.New[Order](nil)
	if err != nil {
		t.Fatal(err)
	}
	orders, err := lockedrepo.New(inner, locker, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := orders.Save(t.Context(), &Order{ID: 1, Buyer: "Ann", Total: 20}); err != nil {
		t.Fatal(err)
	}
}

// shop returns what the examples need: orders in memory, locked by an etcd in
// memory.
func shop() (*etcdlock.Locker, *lockedrepo.Repository[Order], func()) {
	cluster := locktest.NewCluster()
	locker, err := cluster.NewLocker(nil)
	if err != nil {
		panic(err)
	}
	inner, err := memrepo.New[Order](nil)
	if err != nil {
		panic(err)
	}
	orders, err := lockedrepo.New(inner, locker, &lockedrepo.Options{Key: "shop.Order", LockTimeout: time.Second})
	if err != nil {
		panic(err)
	}
	return locker, orders, func() {
		_ = locker.Close(context.Background())
		_ = cluster.Close()
	}
}

// bigShop returns three types of one database, with a customer 1 and five of
// product 3.
func bigShop() (*lockedrepo.Repository[Customer], *lockedrepo.Repository[Product], *lockedrepo.Repository[Order], func()) {
	cluster := locktest.NewCluster()
	locker, err := cluster.NewLocker(nil)
	if err != nil {
		panic(err)
	}
	db := &database{}
	customers, products, orders := inShop[Customer](db, locker), inShop[Product](db, locker), inShop[Order](db, locker)
	ctx := context.Background()
	if err := errors.Join(customers.Save(ctx, &Customer{ID: 1}), products.Save(ctx, &Product{ID: 3, Stock: 5})); err != nil {
		panic(err)
	}
	return customers, products, orders, func() {
		_ = locker.Close(ctx)
		_ = cluster.Close()
	}
}

func inShop[T any](db *database, locker *etcdlock.Locker) *lockedrepo.Repository[T] {
	inner, err := memrepo.New[T](nil)
	if err != nil {
		panic(err)
	}
	r, err := lockedrepo.New[T](txStore[T]{inner, db, func(context.Context, string) {}}, locker, nil)
	if err != nil {
		panic(err)
	}
	return r
}

func ExampleRepository_SmartSave() {
	_, orders, done := shop()
	defer done()
	saved, err := orders.SmartSave(context.Background(), repo.SmartSaveDTO{EntityList: []string{
		`{"id": 1, "buyer": "Ann", "total": 20}`,
		`{"id": 2, "buyer": "Bob", "total": 7}`,
	}})
	fmt.Println(len(saved), saved[1].Buyer, err)

	_, err = orders.SmartSave(context.Background(), repo.SmartSaveDTO{})
	fmt.Println(errors.Is(err, repo.ErrEmptySave))
	// Output:
	// 2 Bob <nil>
	// true
}

func ExampleRepository_Update() {
	_, orders, done := shop()
	defer done()
	ctx := context.Background()
	if err := orders.Save(ctx, &Order{ID: 1, Buyer: "Ann", Total: 20}); err != nil {
		fmt.Println(err)
	}
	// Reading, changing and saving happen inside the lock.
	o, err := orders.Update(ctx, 1, func(o *Order) error {
		o.Total += 5
		return nil
	})
	fmt.Println(o.Total, err)
	// Output: 25 <nil>
}

func ExampleInTx() {
	customers, products, orders, done := bigShop()
	defer done()
	ctx, order := context.Background(), &Order{ID: 7, Customer: 1, Product: 3, Amount: 2}

	// One lock of all three types, one transaction. All of it happens, or nothing.
	err := lockedrepo.InTx(ctx, func(ctx context.Context) error {
		if _, err := customers.FindByID(ctx, order.Customer); err != nil {
			return err // repo.ErrNotFound, for instance
		}
		_, err := products.Update(ctx, order.Product, func(p *Product) error { return p.take(order.Amount) })
		if err != nil {
			return err
		}
		return orders.Save(ctx, order)
	}, orders, products, customers)

	left, _ := products.FindByID(ctx, 3)
	fmt.Println(left.Stock, err)
	// Output: 3 <nil>
}

func ExampleReadUnlocked() {
	customers, _, orders, done := bigShop()
	defer done()
	// Nothing is written from what is read, so customers need not be locked.
	err := orders.InTx(context.Background(), func(ctx context.Context) error {
		known, err := customers.ExistsByID(lockedrepo.ReadUnlocked(ctx), 1)
		if err != nil || !known {
			return errors.Join(errors.New("no such customer"), err)
		}
		return orders.Save(ctx, &Order{ID: 7, Customer: 1})
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleRepository_Key() {
	locker, orders, done := shop()
	defer done()
	ctx := context.Background()
	// One hold around several calls: what is read stays true until the save.
	err := locker.Do(ctx, orders.Key(), func(ctx context.Context) error {
		there, err := orders.ExistsByID(ctx, 1)
		if err != nil || there {
			return err
		}
		return orders.Save(ctx, &Order{ID: 1, Buyer: "Ann"})
	})
	n, _ := orders.Count(ctx)
	fmt.Println(n, err)
	// Output: 1 <nil>
}

func ExampleNew_busy() {
	locker, orders, done := shop()
	defer done()
	ctx := context.Background()
	hold, err := locker.Lock(ctx, orders.Key())
	if err != nil {
		fmt.Println(err)
	}
	// Somebody holds the lock for longer than a save is willing to wait.
	err = orders.Save(ctx, &Order{ID: 1})
	fmt.Println(errors.Is(err, etcdlock.ErrTimeout))

	if err := hold.Unlock(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println(orders.Save(ctx, &Order{ID: 1}))
	// Output:
	// true
	// <nil>
}

// stripedShop is a shop whose orders have a lock for each of eight stripes.
func stripedShop() (*etcdlock.Locker, *lockedrepo.Repository[Order], func()) {
	cluster := locktest.NewCluster()
	locker, err := cluster.NewLocker(nil)
	if err != nil {
		panic(err)
	}
	inner, err := memrepo.New[Order](&memrepo.Options{DB: memrepo.NewDB()})
	if err != nil {
		panic(err)
	}
	orders, err := lockedrepo.New(inner, locker, &lockedrepo.Options{Key: "shop.Order", Stripes: lockedrepo.ByID(8)})
	if err != nil {
		panic(err)
	}
	return locker, orders, func() {
		_ = locker.Close(context.Background())
		_ = cluster.Close()
	}
}

func ExampleByID() {
	_, orders, done := stripedShop()
	defer done()
	ctx := context.Background()
	// Orders of different stripes are saved at the same time, by different processes too.
	if err := orders.SaveAll(ctx, []*Order{{ID: 1, Total: 20}, {ID: 2, Total: 7}}); err != nil {
		fmt.Println(err)
	}
	o, err := orders.Update(ctx, 1, func(o *Order) error { o.Total += 5; return nil })
	fmt.Println(o.Total, err)
	// Output: 25 <nil>
}

func ExampleByFunc() {
	locker, _, done := stripedShop()
	defer done()
	inner, err := memrepo.New[Order](nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	// What one buyer orders is saved one after the other.
	orders, err := lockedrepo.New(inner, locker, &lockedrepo.Options{
		Key:     "shop.Order",
		Stripes: lockedrepo.ByFunc(16, func(o *Order) string { return o.Buyer }),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	err = orders.Save(ctx, &Order{ID: 1, Buyer: "Ann"})
	fmt.Println(err)
	_, err = orders.Update(ctx, 1, func(o *Order) error { o.Buyer = "Bob"; return nil })
	fmt.Println(errors.Is(err, repo.ErrInvalid))
	// Output:
	// <nil>
	// true
}

func ExampleRepository_For() {
	_, orders, done := stripedShop()
	defer done()
	ctx := context.Background()
	if err := orders.SaveAll(ctx, []*Order{{ID: 1, Total: 20}, {ID: 2, Total: 7}}); err != nil {
		fmt.Println(err)
	}
	// Only the stripes of these two orders are locked, both at once.
	err := lockedrepo.InTx(ctx, func(ctx context.Context) error {
		from, err := orders.FindByID(ctx, 1)
		if err != nil {
			return err
		}
		_, err = orders.Update(ctx, 2, func(to *Order) error { to.Total += from.Total; return nil })
		return err
	}, orders.For(1, 2))
	o, _ := orders.FindByID(ctx, 2)
	fmt.Println(o.Total, err)
	// Output: 27 <nil>
}

func ExampleRepository_SmartSave_chunks() {
	_, orders, done := shop()
	defer done()
	ctx := context.Background()
	list := []string{`{"id": 1, "total": 20}`, `{"id": 2, "total": 7}`, `{"id": 3, "total": 9}`}
	for len(list) > 0 {
		// Others get the lock after every two orders.
		saved, err := orders.SmartSave(ctx, repo.SmartSaveDTO{EntityList: list}, repo.Chunks(2))
		if at, ok := errors.AsType[*repo.ChunkError](err); ok {
			list = list[at.Done:] // go on there, once the reason is gone
			continue
		}
		fmt.Println(len(saved), err)
		list = nil
	}
	// Output: 3 <nil>
}
