package repo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

type Order struct {
	ID    int64  `gorm:"primaryKey" bson:"_id" json:"id"`
	Buyer string `json:"buyer"`
	Total int64  `json:"total"`
}

var total = repo.MustField[Order, int64]("Total")

// cheap works on every backend, and on locked repositories.
func cheap(ctx context.Context, orders repo.Repository[Order]) ([]*Order, error) {
	return orders.Find(ctx, total.Lt(1000), total.Asc(), repo.Limit(20))
}

func Example() {
	ctx := context.Background()
	orders, err := memrepo.New[Order](nil) // or gormrepo.New, mongorepo.New
	if err != nil {
		log.Fatal(err)
	}
	err = orders.SaveAll(ctx, []*Order{{Buyer: "Ann", Total: 900}, {Buyer: "Bob", Total: 5000}, {Buyer: "Cleo", Total: 30}})
	if err != nil {
		log.Fatal(err)
	}
	found, err := cheap(ctx, orders)
	if err != nil {
		log.Fatal(err)
	}
	for _, o := range found {
		fmt.Println(o.Buyer, o.Total)
	}
	_, err = orders.FindByID(ctx, 4)
	fmt.Println(errors.Is(err, repo.ErrNotFound))
	// Output:
	// Cleo 30
	// Ann 900
	// true
}

func ExampleSmartSaveDTO() {
	// Spring clients send each entity as text; plain objects do as well.
	body := `{"entityList": ["{\"id\": 1, \"buyer\": \"Ann\"}", {"id": 2, "buyer": "Bob"}]}`
	var dto repo.SmartSaveDTO
	if err := json.Unmarshal([]byte(body), &dto); err != nil {
		log.Fatal(err)
	}
	for _, doc := range dto.EntityList {
		fmt.Println(doc)
	}
	// Output:
	// {"id": 1, "buyer": "Ann"}
	// {"id": 2, "buyer": "Bob"}
}

func ExampleBatchError() {
	_, err := driver.Decode[Order](repo.SmartSaveDTO{EntityList: []string{
		`{"id": 1, "total": "a lot"}`,
		`{"id": 2, "total": 7}`,
		`[]`,
	}})
	if batch, ok := errors.AsType[*repo.BatchError](err); ok {
		for _, item := range batch.Items {
			fmt.Printf("document %d, at %q: invalid is %t\n", item.Index, item.Pointer, errors.Is(item, repo.ErrInvalid))
		}
	}
	// Output:
	// document 0, at "/total": invalid is true
	// document 2, at "": invalid is true
}

func ExampleAs() {
	orders, err := memrepo.New[Order](nil)
	if err != nil {
		log.Fatal(err)
	}
	_, updates := repo.As[repo.Updater[Order]](orders)
	_, transactions := repo.As[repo.Transactor](orders)
	fmt.Println("read-modify-write:", updates, "transactions:", transactions)
	// Output: read-modify-write: true transactions: true
}
