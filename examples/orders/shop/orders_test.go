package shop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/examples/orders/shop"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
)

const (
	teaAndMug = `{"id": "order-0001", "customerId": 1, "lines": [{"sku": "TEA", "quantity": 2}, {"sku": "MUG", "quantity": 1}]}`
	oneTea    = `{"id": "order-%04d", "customerId": 1, "lines": [{"sku": "TEA", "quantity": 1}]}`
)

func TestAnOrderIsPlacedAndCancelled(t *testing.T) {
	t.Parallel()
	c := stocked(t)
	c.send(http.StatusCreated, "POST", "/orders", teaAndMug)
	c.want(8, 2, 1800)
	o := get[shop.Order](c, "/orders/order-0001")
	if len(o.Lines) != 2 || o.Lines[0] != (shop.Line{Item: shop.Item{SKU: "TEA", Quantity: 2}, Price: 450}) ||
		o.Total != 1800 || o.Status != shop.Placed || o.Version != 1 || o.CreatedAt.IsZero() || o.UpdatedAt.IsZero() {
		t.Errorf("the order is %+v", o)
	}
	// Neither changes anything when it is sent again.
	c.send(http.StatusOK, "POST", "/orders", teaAndMug)
	c.want(8, 2, 1800)
	for range 2 {
		c.send(http.StatusOK, "POST", "/orders/order-0001/cancel", "")
		c.want(10, 3, 0)
	}
	if o := get[shop.Order](c, "/orders/order-0001"); o.Status != shop.Cancelled || o.Version != 2 {
		t.Errorf("the order is %+v", o)
	}
	if sum := get[shop.Customer](c, "/customers/1"); sum.Version != 3 {
		t.Errorf("the customer is %+v", sum)
	}
	c.send(http.StatusNotFound, "POST", "/orders/order-0002/cancel", "")
}

func TestARefusedOrderChangesNothing(t *testing.T) {
	t.Parallel()
	c := stocked(t)
	c.send(http.StatusCreated, "POST", "/orders", teaAndMug)
	order := func(lines string) string { return `{"id": "order-0002", "customerId": 1, "lines": [` + lines + `]}` }
	long := strings.TrimSuffix(strings.Repeat(`{"sku": "A", "quantity": 1},`, 51), ",")
	for name, wrong := range map[string]struct {
		status int
		body   string
	}{
		"an unknown customer":          {422, `{"id": "order-0002", "customerId": 2, "lines": [{"sku": "TEA", "quantity": 1}]}`},
		"an unknown product":           {422, order(`{"sku": "TEA", "quantity": 1}, {"sku": "HAT", "quantity": 1}`)},
		"too little stock":             {422, order(`{"sku": "TEA", "quantity": 1}, {"sku": "MUG", "quantity": 3}`)},
		"the id of another":            {422, strings.Replace(teaAndMug, `"quantity": 2`, `"quantity": 1`, 1)},
		"no lines":                     {400, order("")},
		"too many lines":               {400, order(long)},
		"a product twice":              {400, order(`{"sku": "TEA", "quantity": 1}, {"sku": "TEA", "quantity": 1}`)},
		"a quantity below 1":           {400, order(`{"sku": "TEA", "quantity": -1}`)},
		"a quantity that is a text":    {400, order(`{"sku": "TEA", "quantity": "1"}`)},
		"an unknown field":             {400, order(`{"sku": "TEA", "quantity": 1, "price": 1}`)},
		"an id with capitals":          {400, strings.Replace(teaAndMug, "order-0001", "Order-0001", 1)},
		"a body that is no JSON":       {400, `{"id": "order-0002"`},
		"a body that goes on":          {400, teaAndMug + `{}`},
		"no body":                      {400, ""},
		"a body that is too long":      {413, order(strings.Repeat(" ", 64<<10))},
		"a body that goes on too long": {413, teaAndMug + strings.Repeat(" ", 64<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			c := *c
			c.t = t
			c.send(wrong.status, "POST", "/orders", wrong.body)
			c.want(8, 2, 1800)
			c.send(http.StatusNotFound, "GET", "/orders/order-0002", "")
		})
	}
}

// failing is a store whose saves fail.
type failing[T any] struct {
	shop.Store[T]
	err error
}

func (f failing[T]) Save(context.Context, *T) error { return f.err }

func TestWhatFailsHalfwayIsUndone(t *testing.T) {
	t.Parallel()
	for err, status := range map[error]int{
		errors.New("disk full"): 500, repo.ErrBusy: 503, repo.ErrFenced: 409, repo.ErrUnknown: 503,
	} {
		c := stocked(t)
		stores := c.stores
		stores.Orders = failing[shop.Order]{stores.Orders, fmt.Errorf("table orders on db.internal: %w", err)} // the last of the three
		c.serve(stores)
		if answer := c.send(status, "POST", "/orders", teaAndMug); strings.Contains(answer, "db.internal") {
			t.Errorf("the client is told %s", answer)
		}
		c.want(10, 3, 0)
		c.send(http.StatusNotFound, "GET", "/orders/order-0001", "")

		// The client sends it again, as after any answer but a 4xx of its own making.
		c.serve(c.stores)
		c.send(http.StatusCreated, "POST", "/orders", teaAndMug)
		c.want(8, 2, 1800)
	}
}

func TestAnOrderThatWasSavedIsAnsweredSo(t *testing.T) {
	t.Parallel()
	c := stocked(t)
	stores := c.stores
	stores.InTx = func(ctx context.Context, fn func(ctx context.Context) error) error {
		if err := c.stores.InTx(ctx, fn); err != nil {
			return err
		}
		return fmt.Errorf("%w: etcd is away", lockedrepo.ErrRelease) // after the commit
	}
	c.serve(stores)
	var o shop.Order
	if err := json.Unmarshal([]byte(c.send(http.StatusCreated, "POST", "/orders", teaAndMug)), &o); err != nil || o.Total != 1800 {
		t.Errorf("the answer is %+v, %v", o, err)
	}
	c.want(8, 2, 1800)
}

// Two pods share a database and an etcd, and sell one stock.
func TestTwoPodsSellWhatThereIs(t *testing.T) {
	t.Parallel()
	cluster := locktest.NewCluster()
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	all := newTables(t)
	var pods []*client
	for range 2 {
		locker, err := cluster.NewLocker(nil)
		if err != nil {
			t.Fatal(err)
		}
		pods = append(pods, all.pod(t, locker))
	}
	pods[0].stock()
	var sold atomic.Int64
	var clients sync.WaitGroup
	for i := range 16 {
		clients.Go(func() {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/orders", strings.NewReader(fmt.Sprintf(oneTea, i)))
			pods[i%2].handler.ServeHTTP(w, r)
			switch w.Code {
			case http.StatusCreated:
				sold.Add(1)
			case http.StatusUnprocessableEntity:
			default:
				t.Errorf("an order is answered %d: %s", w.Code, w.Body)
			}
		})
	}
	clients.Wait()
	if sold.Load() != 10 {
		t.Errorf("%d of 10 were sold", sold.Load())
	}
	pods[1].want(0, 3, 4500)
}
