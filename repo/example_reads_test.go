package repo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

var buyer = repo.MustField[Order, string]("Buyer")

// book has five orders.
func book(ctx context.Context) repo.Repository[Order] {
	orders, err := memrepo.New[Order](nil) // or gormrepo.New, mongorepo.New
	if err != nil {
		log.Fatal(err)
	}
	err = orders.SaveAll(ctx, []*Order{
		{Buyer: "Ann", Total: 900},
		{Buyer: "Bob", Total: 5000},
		{Buyer: "Cleo", Total: 30},
		{Buyer: "Ann", Total: 70},
		{Buyer: "Bob", Total: 30},
	})
	if err != nil {
		log.Fatal(err)
	}
	return orders
}

func ExampleFindOne() {
	ctx := context.Background()
	orders := book(ctx)
	largest, err := repo.FindOne(ctx, orders, buyer.Eq("Ann"), total.Desc())
	fmt.Println(largest.Total, err)
	_, err = repo.FindOne(ctx, orders, buyer.Eq("Dan"))
	fmt.Println(errors.Is(err, repo.ErrNotFound))
	// Output:
	// 900 <nil>
	// true
}

func ExampleExists() {
	ctx := context.Background()
	there, err := repo.Exists(ctx, book(ctx), buyer.Eq("Ann"), total.Gt(1000))
	fmt.Println(there, err)
	// Output: false <nil>
}

func ExampleMin() {
	ctx := context.Background()
	smallest, err := repo.Min(ctx, book(ctx), total, buyer.Eq("Ann"))
	fmt.Println(smallest, err)
	// Output: 70 <nil>
}

func ExampleSum() {
	ctx := context.Background()
	sum, err := repo.Sum(ctx, book(ctx), total, buyer.Eq("Bob"))
	fmt.Println(sum, err)
	// Output: 5030 <nil>
}

func ExamplePluck() {
	ctx := context.Background()
	totals, err := repo.Pluck(ctx, book(ctx), total, buyer.Eq("Ann"), total.Asc())
	fmt.Println(totals, err)
	// Output: [70 900] <nil>
}

// Receipt is what a list of orders shows.
type Receipt struct {
	Number int64 `holdfast:"ID"`
	Total  int64
}

var receipts = repo.MustProjection[Order, Receipt]()

func ExampleProject() {
	ctx := context.Background()
	list, err := repo.Project(ctx, book(ctx), receipts, buyer.Eq("Bob"))
	fmt.Println(list, err)
	// Output: [{2 5000} {5 30}] <nil>
}

// Sales are the orders of one buyer.
type Sales struct {
	Buyer   string
	Orders  int   `holdfast:"count"`
	Total   int64 `holdfast:"sum Total"`
	Largest int64 `holdfast:"max Total"`
}

var (
	sales      = repo.MustProjection[Order, Sales]()
	salesTotal = repo.MustField[Sales, int64]("Total")
)

func ExampleProject_groups() {
	ctx := context.Background()
	best, err := repo.Project(ctx, book(ctx), sales, total.Ge(50), salesTotal.Desc(), repo.Limit(2))
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range best {
		fmt.Println(s.Buyer, s.Orders, s.Total, s.Largest)
	}
	// Output:
	// Bob 1 5000 5000
	// Ann 2 970 900
}

func ExampleFindPage() {
	ctx := context.Background()
	page, err := repo.FindPage(ctx, book(ctx), repo.PageRequest{Number: 1, Size: 2, Total: true}, total.Desc())
	if err != nil {
		log.Fatal(err)
	}
	for _, o := range page.Items {
		fmt.Println(o.Buyer, o.Total)
	}
	fmt.Println("more:", page.HasNext, "of", *page.Total)
	// Output:
	// Ann 70
	// Cleo 30
	// more: true of 5
}

func ExampleFindWindow() {
	ctx := context.Background()
	orders := book(ctx)
	// In a service the key is a secret that all pods have.
	cursors, err := repo.NewCursors(bytes.Repeat([]byte("secret!!"), 4))
	if err != nil {
		log.Fatal(err)
	}
	after := "" // what the client sends
	for {
		w, err := repo.FindWindow(ctx, orders, cursors, repo.WindowRequest{Size: 2, After: after}, total.Asc())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(lo.Map(w.Items, func(o *Order, _ int) int64 { return o.Total }))
		if after = w.Next; after == "" {
			break
		}
	}
	_, err = repo.FindWindow(ctx, orders, cursors, repo.WindowRequest{Size: 2, After: "made up"}, total.Asc())
	fmt.Println(errors.Is(err, repo.ErrCursor))
	// Output:
	// [30 30]
	// [70 900]
	// [5000]
	// true
}

func ExampleStream() {
	ctx := context.Background()
	sum := int64(0)
	for o, err := range repo.Stream(ctx, book(ctx), buyer.Ne("Bob")) {
		if err != nil {
			log.Fatal(err)
		}
		sum += o.Total
	}
	fmt.Println(sum)
	// Output: 1000
}

func ExampleOr() {
	ctx := context.Background()
	found, err := repo.Pluck(ctx, book(ctx), total, repo.Or(buyer.Eq("Cleo"), repo.Not(total.Between(50, 1000))), total.Desc())
	fmt.Println(found, err)
	// Output: [5000 30 30] <nil>
}
