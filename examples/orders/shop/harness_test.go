package shop_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/examples/orders/shop"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// client sends requests to the handlers of a shop that needs no server.
type client struct {
	t       *testing.T
	stores  shop.Stores
	handler http.Handler
	ready   error
}

// newShop has locked repositories in memory: the real lock, on an etcd in memory.
func newShop(t *testing.T) *client {
	t.Helper()
	return newTables(t).pod(t, locktest.NewLocal(t, nil))
}

// tables are the database of a shop.
type tables struct {
	customers repo.Repository[shop.Customer]
	products  repo.Repository[shop.Product]
	orders    repo.Repository[shop.Order]
}

func newTables(t *testing.T) tables {
	t.Helper()
	options := &memrepo.Options{DB: memrepo.NewDB()}
	customers, err1 := memrepo.New[shop.Customer](options)
	products, err2 := memrepo.New[shop.Product](options)
	orders, err3 := memrepo.New[shop.Order](options)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return tables{customers, products, orders}
}

// pod is one of the pods on the tables.
func (all tables) pod(t *testing.T, locker *etcdlock.Locker) *client {
	t.Helper()
	customers, err1 := lockedrepo.New(all.customers, locker, &lockedrepo.Options{Key: "shop.Customer"})
	products, err2 := lockedrepo.New(all.products, locker, &lockedrepo.Options{Key: "shop.Product"})
	orders, err3 := lockedrepo.New(all.orders, locker, &lockedrepo.Options{Key: "shop.Order"})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, stores: shop.Stores{Customers: customers, Products: products, Orders: orders}}
	c.stores.InTx = func(ctx context.Context, fn func(ctx context.Context) error) error {
		return lockedrepo.InTx(ctx, fn, orders, products, customers)
	}
	c.serve(c.stores)
	return c
}

// serve makes the handlers on the stores, which a test may have changed.
func (c *client) serve(stores shop.Stores) {
	c.t.Helper()
	cursors, err := repo.NewCursors([]byte(strings.Repeat("k", repo.MinCursorKey)))
	if err != nil {
		c.t.Fatal(err)
	}
	c.handler, err = shop.NewHandler(&shop.Service{Stores: stores}, shop.HandlerOptions{
		Cursors: cursors,
		Ready:   func(context.Context) error { return c.ready },
		Log:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// send sends a request, wants the status and returns the body.
func (c *client) send(status int, method, target, body string) string {
	c.t.Helper()
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, httptest.NewRequestWithContext(c.t.Context(), method, target, strings.NewReader(body)))
	answer := w.Body.String()
	if w.Code != status {
		c.t.Fatalf("%s %s is answered %d, not %d: %s", method, target, w.Code, status, answer)
	}
	return answer
}

// get reads what the shop has.
func get[T any](c *client, target string) (e T) {
	c.t.Helper()
	if err := json.Unmarshal([]byte(c.send(http.StatusOK, http.MethodGet, target, "")), &e); err != nil {
		c.t.Fatal(err)
	}
	return e
}

// stocked has the customer 1 and the products TEA and MUG.
func stocked(t *testing.T) *client {
	t.Helper()
	c := newShop(t)
	c.stock()
	return c
}

func (c *client) stock() {
	c.t.Helper()
	c.send(http.StatusCreated, "POST", "/customers", `{"name": "Ann"}`)
	c.send(http.StatusOK, "POST", "/products/import", `{"entityList": [
		{"sku": "TEA", "name": "Tea", "price": 450, "stock": 10},
		{"sku": "MUG", "name": "Mug", "price": 900, "stock": 3}]}`)
}

// want compares what is left, and the total of customer 1.
func (c *client) want(tea, mug, total int64) {
	c.t.Helper()
	t, m := get[shop.Product](c, "/products/TEA").Stock, get[shop.Product](c, "/products/MUG").Stock
	if sum := get[shop.Customer](c, "/customers/1").Total; t != tea || m != mug || sum != total {
		c.t.Errorf("%d TEA, %d MUG and a total of %d, want %d, %d and %d", t, m, sum, tea, mug, total)
	}
}
