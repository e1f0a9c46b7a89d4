package shop

import (
	"fmt"
	"regexp"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

// Customer buys. The database numbers customers.
type Customer struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	Total     int64     `json:"total"` // of the orders that stand, in cents
	Version   int64     `json:"version" holdfast:"version"`
	CreatedAt time.Time `json:"createdAt" holdfast:"created"`
	UpdatedAt time.Time `json:"updatedAt" holdfast:"updated"`
}

// Product is sold. It has no version, as many tables have none: the lock alone keeps
// its stock right. A product that was deleted stays in the table, marked.
type Product struct {
	SKU       string     `json:"sku" gorm:"primaryKey;size:40"`
	Name      string     `json:"name"`
	Price     int64      `json:"price"` // in cents
	Stock     int64      `json:"stock"`
	CreatedAt time.Time  `json:"createdAt" holdfast:"created"`
	UpdatedAt time.Time  `json:"updatedAt" holdfast:"updated"`
	DeletedAt *time.Time `json:"-" gorm:"index" holdfast:"deleted"`
}

// Order is what a customer bought. The client makes its ID.
type Order struct {
	ID         string    `json:"id" gorm:"primaryKey;size:64"`
	CustomerID int64     `json:"customerId" gorm:"index"`
	Status     string    `json:"status" gorm:"size:16"`
	Lines      []Line    `json:"lines" gorm:"serializer:json"` // one column of JSON
	Total      int64     `json:"total"`                        // in cents
	Version    int64     `json:"version" holdfast:"version"`
	CreatedAt  time.Time `json:"createdAt" holdfast:"created"`
	UpdatedAt  time.Time `json:"updatedAt" holdfast:"updated"`
}

// What Order.Status may be.
const (
	Placed    = "placed"
	Cancelled = "cancelled"
)

// Item is how much of a product a client wants.
type Item struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// Line is an item at the price of the day.
type Line struct {
	Item
	Price int64 `json:"price"`
}

// TableName keeps the example out of tables that you have.
func (*Customer) TableName() string { return "example_customers" }

// TableName keeps the example out of tables that you have.
func (*Product) TableName() string { return "example_products" }

// TableName keeps the example out of tables that you have.
func (*Order) TableName() string { return "example_orders" }

// Limits of what clients send. No sum of prices comes near the end of an int64.
const (
	maxName     = 200
	maxPrice    = 1_000_000_000
	maxStock    = 1_000_000_000
	maxLines    = 50
	maxQuantity = 1000
)

func (c *Customer) valid() error {
	if c.Name == "" || len(c.Name) > maxName {
		return invalid("a customer has a name of at most %d bytes", maxName)
	}
	return nil
}

// skuForm has no small letters and orderForm no capitals, so that keys which differ are
// different in every collation.
var (
	skuForm   = regexp.MustCompile(`^[A-Z0-9-]{1,40}$`)
	orderForm = regexp.MustCompile(`^[a-z0-9-]{8,64}$`)
)

func (p *Product) valid() error {
	switch {
	case !skuForm.MatchString(p.SKU):
		return invalid("a SKU has 1 to 40 capitals, digits and dashes")
	case len(p.Name) > maxName:
		return invalid("a product has a name of at most %d bytes", maxName)
	case p.Price < 0 || p.Price > maxPrice:
		return invalid("a price is from 0 to %d", maxPrice)
	case p.Stock < 0 || p.Stock > maxStock:
		return invalid("a stock is from 0 to %d", maxStock)
	}
	return nil
}

// invalid is an error for what can never be saved.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", repo.ErrInvalid, fmt.Sprintf(format, args...))
}
