package shop

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/holdfast-go/holdfast/repo"
)

// Limits of request bodies, in bytes.
const (
	maxBody   = 64 << 10
	maxImport = 8 << 20
)

// HandlerOptions are what the handlers need besides the service. All of it is required.
type HandlerOptions struct {
	// Cursors sign the places in lists. All pods need the same key.
	Cursors *repo.Cursors
	// Ready tells why the pod cannot serve, nil when it can.
	Ready func(ctx context.Context) error
	// Log gets the errors that clients are told nothing of.
	Log *slog.Logger
}

// NewHandler makes the HTTP handlers of the shop.
func NewHandler(s *Service, o HandlerOptions) (http.Handler, error) {
	customers, err1 := newList(s.Customers, o.Cursors, "ID", "Name", "Total", "CreatedAt")
	products, err2 := newList(s.Products, o.Cursors, "SKU", "Name", "Price", "Stock", "UpdatedAt")
	orders, err3 := newList(s.Orders, o.Cursors, "ID", "CustomerID", "Status", "Total", "CreatedAt")
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	handle := func(pattern string, a action) { mux.Handle(pattern, a.handler(o.Log)) }
	handle("POST /customers", s.postCustomer)
	handle("GET /customers", customers.get)
	handle("GET /customers/{id}", getByNumber(s.Customers))
	handle("POST /products", s.postProduct)
	handle("POST /products/import", s.postImport)
	handle("GET /products", products.get)
	handle("GET /products/{id}", getByText(s.Products))
	handle("DELETE /products/{id}", s.deleteProduct)
	handle("POST /orders", s.postOrder)
	handle("GET /orders", orders.get)
	handle("GET /orders/{id}", getByText(s.Orders))
	handle("POST /orders/{id}/cancel", s.postCancel)
	handle("GET /livez", func(*http.Request) (reply, error) { return reply{}, nil })
	handle("GET /readyz", func(r *http.Request) (reply, error) {
		if err := o.Ready(r.Context()); err != nil {
			o.Log.WarnContext(r.Context(), "not ready", "error", err)
			return reply{status: http.StatusServiceUnavailable}, nil
		}
		return reply{}, nil
	})
	return mux, nil
}

func (s *Service) postCustomer(r *http.Request) (reply, error) {
	var c struct {
		Name string `json:"name"`
	}
	if err := read(r, maxBody, &c); err != nil {
		return reply{}, err
	}
	customer := &Customer{Name: c.Name}
	err := s.CreateCustomer(r.Context(), customer)
	return reply{http.StatusCreated, customer}, err
}

func (s *Service) postProduct(r *http.Request) (reply, error) {
	var p struct {
		SKU   string `json:"sku"`
		Name  string `json:"name"`
		Price int64  `json:"price"`
		Stock int64  `json:"stock"`
	}
	if err := read(r, maxBody, &p); err != nil {
		return reply{}, err
	}
	product := &Product{SKU: p.SKU, Name: p.Name, Price: p.Price, Stock: p.Stock}
	err := s.CreateProduct(r.Context(), product)
	return reply{http.StatusCreated, product}, err
}

func (s *Service) postImport(r *http.Request) (reply, error) {
	var list repo.SmartSaveDTO
	if err := read(r, maxImport, &list); err != nil {
		return reply{}, err
	}
	saved, err := s.ImportProducts(r.Context(), list)
	return reply{body: map[string]int{"saved": saved}}, err
}

func (s *Service) deleteProduct(r *http.Request) (reply, error) {
	return reply{status: http.StatusNoContent}, s.Products.DeleteByID(r.Context(), r.PathValue("id"))
}

func (s *Service) postOrder(r *http.Request) (reply, error) {
	var n NewOrder
	if err := read(r, maxBody, &n); err != nil {
		return reply{}, err
	}
	order, created, err := s.Place(r.Context(), n)
	if created {
		return reply{http.StatusCreated, order}, err
	}
	return reply{body: order}, err
}

func (s *Service) postCancel(r *http.Request) (reply, error) {
	order, err := s.Cancel(r.Context(), r.PathValue("id"))
	return reply{body: order}, err
}

func getByText[T any](store repo.Repository[T]) action {
	return func(r *http.Request) (reply, error) {
		e, err := store.FindByID(r.Context(), r.PathValue("id"))
		return reply{body: e}, err
	}
}

func getByNumber[T any](store repo.Repository[T]) action {
	return func(r *http.Request) (reply, error) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil {
			return reply{}, invalid("the id is a number")
		}
		e, err := store.FindByID(r.Context(), id)
		return reply{body: e}, err
	}
}
