package shop

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
)

// NewOrder is what a client sends. It makes the ID itself, so that it can send an order
// again when the answer was lost.
type NewOrder struct {
	ID         string `json:"id"`
	CustomerID int64  `json:"customerId"`
	Lines      []Item `json:"lines"`
}

func (n *NewOrder) valid() error {
	switch {
	case !orderForm.MatchString(n.ID):
		return invalid("the id of an order has 8 to 64 small letters, digits and dashes")
	case len(n.Lines) == 0 || len(n.Lines) > maxLines:
		return invalid("an order has 1 to %d lines", maxLines)
	case len(lo.UniqBy(n.Lines, func(i Item) string { return i.SKU })) < len(n.Lines):
		return invalid("an order has one line for each product")
	case lo.SomeBy(n.Lines, func(i Item) bool { return i.Quantity < 1 || i.Quantity > maxQuantity }):
		return invalid("a quantity is from 1 to %d", maxQuantity)
	}
	return nil
}

// Place takes the stock of an order, saves it and adds it to the customer's total. It
// tells whether it was created: an order that is there already is returned as it is.
func (s *Service) Place(ctx context.Context, n NewOrder) (order *Order, created bool, err error) {
	if err := n.valid(); err != nil {
		return nil, false, err
	}
	err = s.InTx(ctx, func(ctx context.Context) (err error) {
		order, err = s.Orders.FindByID(ctx, n.ID)
		if created = errors.Is(err, repo.ErrNotFound); created {
			order, err = s.place(ctx, n)
			return err
		}
		if err == nil && !order.isFor(n) {
			err = refused("another order has this id")
		}
		return err
	})
	return order, created, err
}

// isFor tells whether the order is what n wants.
func (o *Order) isFor(n NewOrder) bool {
	return o.CustomerID == n.CustomerID && slices.Equal(itemsOf(o.Lines), n.Lines)
}

func itemsOf(lines []Line) []Item { return lo.Map(lines, func(l Line, _ int) Item { return l.Item }) }

// place runs in the transaction. What it reads nobody else changes before the commit.
func (s *Service) place(ctx context.Context, n NewOrder) (*Order, error) {
	customer, err := s.Customers.FindByID(ctx, n.CustomerID)
	if errors.Is(err, repo.ErrNotFound) {
		return nil, refused("there is no customer %d", n.CustomerID)
	}
	if err != nil {
		return nil, err
	}
	products, err := s.products(ctx, n.Lines)
	if err != nil {
		return nil, err
	}
	bySKU := lo.KeyBy(products, func(p *Product) string { return p.SKU })
	order := &Order{ID: n.ID, CustomerID: n.CustomerID, Status: Placed}
	for _, item := range n.Lines {
		product, there := bySKU[item.SKU]
		if !there {
			return nil, refused("there is no product %q", item.SKU)
		}
		if err := product.take(item.Quantity); err != nil {
			return nil, err
		}
		order.Lines = append(order.Lines, Line{Item: item, Price: product.Price})
		order.Total += item.Quantity * product.Price
	}
	customer.Total += order.Total
	return order, s.save(ctx, order, customer, products)
}

// Cancel gives the stock of an order back and takes it off the customer's total. An
// order that was cancelled before is returned as it is; repo.ErrNotFound for none.
func (s *Service) Cancel(ctx context.Context, id string) (order *Order, err error) {
	err = s.InTx(ctx, func(ctx context.Context) (err error) {
		order, err = s.Orders.FindByID(ctx, id)
		if err != nil || order.Status == Cancelled {
			return err
		}
		customer, err := s.Customers.FindByID(ctx, order.CustomerID)
		if err != nil {
			return err
		}
		products, err := s.products(ctx, itemsOf(order.Lines))
		if err != nil {
			return err
		}
		quantity := lo.SliceToMap(order.Lines, func(l Line) (string, int64) { return l.SKU, l.Quantity })
		for _, product := range products { // without those that were deleted since
			product.Stock += quantity[product.SKU]
		}
		customer.Total -= order.Total
		order.Status = Cancelled
		return s.save(ctx, order, customer, products)
	})
	return order, err
}

// products reads those of the items. Ones that do not exist are left out.
func (s *Service) products(ctx context.Context, items []Item) ([]*Product, error) {
	return s.Products.FindAllByID(ctx, repo.IDs(lo.Map(items, func(i Item, _ int) string { return i.SKU })...))
}

func (s *Service) save(ctx context.Context, order *Order, customer *Customer, products []*Product) error {
	if err := s.Products.SaveAll(ctx, products); err != nil {
		return err
	}
	if err := s.Customers.Save(ctx, customer); err != nil {
		return err
	}
	return s.Orders.Save(ctx, order)
}

// refused is an error for a request that the shop does not fulfil.
func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}
