package main

import (
	"encoding/json"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/testdata"
)

// Country is one entry of ISO 3166-1, stored under its two-letter code.
type Country struct {
	Code    string `bson:"_id"     gorm:"primaryKey;size:2" json:"code"`
	Alpha3  string `bson:"alpha3"  gorm:"size:3"            json:"alpha3"`
	Numeric string `bson:"numeric" gorm:"size:3"            json:"numeric"`
	Name    string `bson:"name"    gorm:"size:100"          json:"name"`
}

// TableName keeps the demo out of tables that are somebody's own.
func (Country) TableName() string { return countries }

// Product is something in a warehouse.
type Product struct {
	ID    int64  `bson:"_id"   gorm:"primaryKey;autoIncrement:false" json:"id"`
	Name  string `bson:"name"  gorm:"size:100"                       json:"name"`
	Stock int64  `bson:"stock" json:"stock"`
	// Moves counts the updates, so that a lost one shows.
	Moves int64 `bson:"moves" json:"moves"`
}

// TableName keeps the demo out of tables that are somebody's own.
func (Product) TableName() string { return products }

const (
	countries = "holdfast_quickstart_countries"
	products  = "holdfast_quickstart_products"
)

func startingStock() []*Product {
	return []*Product{
		{ID: 1, Name: "lantern", Stock: 1000},
		{ID: 2, Name: "rope, 30 m", Stock: 1000},
		{ID: 3, Name: "anchor", Stock: 1000},
	}
}

// countryList is what a client would send: 249 documents for SmartSave.
func countryList() (repo.SmartSaveDTO, error) {
	var dto repo.SmartSaveDTO
	if err := json.Unmarshal(testdata.Countries, &dto); err != nil {
		return dto, fmt.Errorf("reading the list of countries: %w", err)
	}
	return dto, nil
}
