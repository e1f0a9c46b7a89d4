package repo_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

type Product struct {
	ID      int64      `gorm:"primaryKey" bson:"_id" json:"id"`
	SKU     string     `gorm:"size:40;uniqueIndex" json:"sku"`
	Name    string     `json:"name"`
	Stock   int64      `json:"stock"`
	Version int64      `json:"version" holdfast:"version"`
	Deleted *time.Time `json:"-" holdfast:"deleted"`
}

var (
	sku   = repo.MustField[Product, string]("SKU")
	name  = repo.MustField[Product, string]("Name")
	stock = repo.MustField[Product, int64]("Stock")
)

// shelf has three products. A service keeps a repo.Store in its fields.
func shelf(ctx context.Context) repo.Store[Product] {
	products, err := memrepo.New[Product](nil) // or gormrepo.New, mongorepo.New, lockedrepo.New
	if err != nil {
		log.Fatal(err)
	}
	err = products.Insert(ctx,
		&Product{SKU: "ant", Name: "Ant", Stock: 5},
		&Product{SKU: "bee", Name: "Bee", Stock: 0},
		&Product{SKU: "cat", Name: "Cat", Stock: 2})
	if err != nil {
		log.Fatal(err)
	}
	return products
}

func ExampleWriter_Insert() {
	ctx := context.Background()
	products := shelf(ctx)
	err := products.Insert(ctx, &Product{SKU: "dog"}, &Product{SKU: "ant"})
	fmt.Println(errors.Is(err, repo.ErrDuplicateKey))
	if batch, ok := errors.AsType[*repo.BatchError](err); ok {
		fmt.Println("element", batch.Items[0].Index)
	}
	n, err := products.Count(ctx)
	fmt.Println(n, err)
	// Output:
	// true
	// element 1
	// 3 <nil>
}

func ExampleWriter_InsertIfAbsent() {
	ctx := context.Background()
	products := shelf(ctx)
	inserted, err := products.InsertIfAbsent(ctx, &Product{ID: 1, SKU: "fox"}, &Product{ID: 9, SKU: "gnu"})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range inserted {
		fmt.Println(p.ID, p.SKU)
	}
	// Output: 9 gnu
}

func ExampleWriter_UpsertBy() {
	ctx := context.Background()
	products := shelf(ctx)
	feed := []*Product{{SKU: "bee", Name: "Bumblebee", Stock: 7}, {SKU: "dog", Name: "Dog", Stock: 1}}
	done, err := products.UpsertBy(ctx, feed, sku)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d inserted, %d updated\n", done.Inserted, done.Updated)
	fmt.Println(feed[0].ID, feed[0].Version)
	// Output:
	// 1 inserted, 1 updated
	// 2 2
}

func ExampleWriter_UpdateWhere() {
	ctx := context.Background()
	products := shelf(ctx)
	n, err := products.UpdateWhere(ctx, stock.Gt(0), repo.Decrease(stock, 1), name.Set("on sale"))
	fmt.Println(n, err)
	_, err = products.UpdateWhere(ctx, repo.And(), name.Set("all")) // And() always holds
	fmt.Println(errors.Is(err, repo.ErrInvalid))
	ant, err := repo.FindOne(ctx, products, sku.Eq("ant"))
	fmt.Println(ant.Stock, ant.Name, ant.Version, err)
	// Output:
	// 2 <nil>
	// true
	// 4 on sale 2 <nil>
}

func ExampleWriter_Restore() {
	ctx := context.Background()
	products := shelf(ctx)
	n, err := products.DeleteWhere(ctx, stock.Eq(0))
	fmt.Println(n, err)
	n, err = products.Restore(ctx, 2, 3) // 3 is not deleted
	fmt.Println(n, err)
	bee, err := products.FindByID(ctx, 2)
	fmt.Println(bee.Name, bee.Version, err)
	// Output:
	// 1 <nil>
	// 1 <nil>
	// Bee 2 <nil>
}

func ExampleStore() {
	ctx := context.Background()
	products := shelf(ctx)
	err := products.InTx(ctx, func(ctx context.Context) error {
		taken, err := products.UpdateWhere(ctx, repo.And(sku.Eq("cat"), stock.Ge(3)), repo.Decrease(stock, 3))
		if err == nil && taken == 0 {
			err = errors.New("sold out")
		}
		return err
	})
	fmt.Println(err)
	// Output: sold out
}
