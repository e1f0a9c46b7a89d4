package memrepo_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// Product is what a service keeps.
type Product struct {
	ID    int64   `gorm:"primaryKey" json:"id"`
	SKU   string  `gorm:"uniqueIndex" json:"sku"`
	Stock int64   `json:"stock"`
	Note  *string `json:"note"`
}

func ExampleRepository_Save() {
	ctx := context.Background()
	products, err := memrepo.New[Product](nil)
	if err != nil {
		log.Fatal(err)
	}
	bolt := &Product{SKU: "bolt", Stock: 12}
	if err := products.Save(ctx, bolt); err != nil {
		log.Fatal(err)
	}
	fmt.Println("the store numbered it", bolt.ID)

	err = products.Save(ctx, &Product{SKU: "bolt"})
	fmt.Println("the name is taken:", errors.Is(err, repo.ErrDuplicateKey))
	// Output:
	// the store numbered it 1
	// the name is taken: true
}

func ExampleRepository_Find() {
	ctx := context.Background()
	products, err := memrepo.New[Product](nil)
	if err != nil {
		log.Fatal(err)
	}
	err = products.SaveAll(ctx, []*Product{{SKU: "bolt", Stock: 12}, {SKU: "nut", Stock: 3}, {SKU: "screw", Stock: 7}})
	if err != nil {
		log.Fatal(err)
	}
	stock := repo.F[Product, int64]("Stock")
	few, err := products.Find(ctx, stock.Lt(10), stock.Desc())
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range few {
		fmt.Println(p.SKU, p.Stock)
	}
	// Output:
	// screw 7
	// nut 3
}

func ExampleRepository_SmartSave_merge() {
	ctx := context.Background()
	products, err := memrepo.New[Product](nil)
	if err != nil {
		log.Fatal(err)
	}
	note := "order more"
	if err := products.Save(ctx, &Product{SKU: "bolt", Stock: 12, Note: &note}); err != nil {
		log.Fatal(err)
	}
	dto := repo.SmartSaveDTO{EntityList: []string{`{"id": 1, "note": null}`}}
	saved, err := products.SmartSave(ctx, dto, repo.Merge())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("kept:", saved[0].SKU, saved[0].Stock, "cleared:", saved[0].Note == nil)
	// Output:
	// kept: bolt 12 cleared: true
}

func ExampleRepository_Update() {
	ctx := context.Background()
	products, err := memrepo.New[Product](nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := products.Save(ctx, &Product{SKU: "bolt", Stock: 12}); err != nil {
		log.Fatal(err)
	}
	bolt, err := products.Update(ctx, 1, func(p *Product) error {
		if p.Stock < 5 {
			return errors.New("not enough")
		}
		p.Stock -= 5
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("left:", bolt.Stock)
	// Output:
	// left: 7
}
