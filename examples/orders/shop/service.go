package shop

import (
	"context"
	"errors"

	"github.com/holdfast-go/holdfast/repo"
)

// Store is what the shop needs of a repository.
type Store[T any] interface {
	repo.Repository[T]
	repo.Transactor
}

// Stores are what the shop keeps its data in. InTx opens a transaction over all three.
// What is read in it must stay true until the commit, which locked repositories see to.
type Stores struct {
	Customers Store[Customer]
	Products  Store[Product]
	Orders    Store[Order]
	InTx      func(ctx context.Context, fn func(ctx context.Context) error) error
}

// Service is the shop. Its methods may be called concurrently, by several processes on
// the same stores too. After an error nothing was written, unless a method says more.
type Service struct {
	Stores
}

// ErrRefused is matched by the error of a request that is in good form, but that the
// shop does not fulfil. Its text is for the client.
var ErrRefused = errors.New("refused")

// CreateCustomer saves a new customer and gives it its ID.
func (s *Service) CreateCustomer(ctx context.Context, c *Customer) error {
	if err := c.valid(); err != nil {
		return err
	}
	return s.Customers.Save(ctx, c)
}
