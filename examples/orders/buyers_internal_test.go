package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/examples/orders/shop"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// ledger is what the clients know: the orders that were answered, as they were answered.
type ledger struct {
	mu     sync.Mutex
	orders map[string]shop.Order
}

func (l *ledger) note(o shop.Order) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders[o.ID] = o
}

// sell has clients place and cancel orders. With kill a pod is killed when a third of
// the orders is placed, and they go on at least until it is back.
func (f *fleet) sell(t *testing.T, kill bool) *ledger {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	var all sync.WaitGroup
	defer func() {
		cancel()
		all.Wait()
	}()
	var again atomic.Int64
	defer func() { t.Logf("%d requests had no final answer and were sent again", again.Load()) }()
	b := &buyer{f: f, t: t, http: &http.Client{Timeout: 40 * time.Second}, again: &again}
	for i := range customers {
		b.must(ctx, http.MethodPost, "/customers", map[string]string{"name": fmt.Sprint("customer ", i+1)}, nil)
	}
	list := lo.Times(products, func(i int) shop.Product { return shop.Product{SKU: sku(i), Price: int64(100 + i), Stock: inStock} })
	for _, p := range list {
		b.must(ctx, http.MethodPost, "/products", map[string]any{"sku": p.SKU, "price": p.Price, "stock": p.Stock}, nil)
	}
	l := &ledger{orders: map[string]shop.Order{}}
	clients, orders := size()
	var placed atomic.Int64
	third, replaced := make(chan struct{}), make(chan struct{})
	for c := range clients {
		all.Go(func() {
			b := *b
			b.turn = c
			for i := 0; i < orders || !closed(replaced); i++ {
				b.buy(ctx, l, fmt.Sprintf("order-%d-%04d", c, i))
				if placed.Add(1) == int64(clients*orders/3) {
					close(third)
				}
			}
		})
	}
	if kill {
		<-third
		f.replace(t, 0)
	}
	close(replaced)
	all.Wait()
	return l
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func sku(i int) string { return fmt.Sprintf("P-%d", i) }

// buyer is a client. It turns to the other pod when one does not answer.
type buyer struct {
	f     *fleet
	t     *testing.T
	http  *http.Client
	turn  int
	again *atomic.Int64
}

// buy places an order, now and then twice, and cancels a third of them.
func (b *buyer) buy(ctx context.Context, l *ledger, id string) {
	n := shop.NewOrder{ID: id, CustomerID: rand.Int64N(customers) + 1}
	for _, i := range rand.Perm(products)[:rand.IntN(2)+1] {
		n.Lines = append(n.Lines, shop.Item{SKU: sku(i), Quantity: rand.Int64N(5) + 1})
	}
	for range rand.IntN(5)/4 + 1 {
		var o shop.Order
		b.must(ctx, http.MethodPost, "/orders", n, &o)
		l.note(o)
	}
	if rand.IntN(3) == 0 {
		var o shop.Order
		b.must(ctx, http.MethodPost, "/orders/"+id+"/cancel", nil, &o)
		l.note(o)
	}
}

// must sends a request until it is answered 200 or 201.
func (b *buyer) must(ctx context.Context, method, path string, body, into any) {
	for ctx.Err() == nil {
		b.turn++
		status, err := b.send(ctx, method, b.f.url(b.turn)+path, body, into)
		switch {
		case err == nil && (status == http.StatusOK || status == http.StatusCreated):
			return
		case err != nil, status == http.StatusConflict, status == http.StatusServiceUnavailable:
			b.again.Add(1)
			select { // a moment later, as the answer means
			case <-ctx.Done():
			case <-time.After(time.Duration(rand.IntN(20)) * time.Millisecond):
			}
		default:
			b.t.Errorf("%s %s is answered %d", method, path, status)
			return
		}
	}
	b.t.Errorf("%s %s: %v", method, path, context.Cause(ctx))
}

func (b *buyer) send(ctx context.Context, method, url string, body, into any) (status int, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	answer, err := b.http.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	text, err = io.ReadAll(answer.Body)
	if err == nil && into != nil && answer.StatusCode < http.StatusMultipleChoices {
		err = json.Unmarshal(text, into)
	}
	return answer.StatusCode, err
}

// audit compares what the clients were told with what is stored, and the stored figures
// with one another. It says what is wrong.
func (f *fleet) audit(t *testing.T, l *ledger) (wrong []string) {
	t.Helper()
	c, err := connect(t.Context(), f.cfg, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.close(context.WithoutCancel(t.Context())) }()
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }

	sold, totals, saves := map[string]int64{}, map[int64]int64{}, map[int64]int64{}
	stored := lo.KeyBy(all[shop.Order](t, c), func(o *shop.Order) string { return o.ID })
	for id, told := range l.orders {
		if stored[id] == nil {
			say("order %s was answered and is not there", id)
		} else if o := *stored[id]; o.Status != told.Status || o.Version != told.Version || o.Total != told.Total || len(o.Lines) != len(told.Lines) {
			say("order %s was answered as %+v and is %+v", id, told, o)
		}
	}
	for id, o := range stored {
		if _, told := l.orders[id]; !told {
			say("order %s was not answered and is there", id)
		}
		version := int64(1)
		if o.Status == shop.Cancelled {
			version = 2
		} else {
			totals[o.CustomerID] += o.Total
			for _, line := range o.Lines {
				sold[line.SKU] += line.Quantity
			}
		}
		if o.Version != version {
			say("order %s is %s in version %d", id, o.Status, o.Version)
		}
		saves[o.CustomerID] += version
	}
	for _, p := range all[shop.Product](t, c) {
		if p.Stock+sold[p.SKU] != inStock {
			say("of %s %d are left and %d sold, of %d", p.SKU, p.Stock, sold[p.SKU], inStock)
		}
	}
	for _, customer := range all[shop.Customer](t, c) {
		if customer.Total != totals[customer.ID] || customer.Version != 1+saves[customer.ID] {
			say("customer %d has total %d in version %d, want %d in %d", customer.ID, customer.Total, customer.Version, totals[customer.ID], 1+saves[customer.ID])
		}
	}
	return wrong
}

func all[T any](t *testing.T, c *connections) []*T {
	t.Helper()
	store, err := gormrepo.New[T](c.db, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := repo.Repository[T](store).Find(t.Context())
	if err != nil || len(list) == 0 {
		t.Fatalf("%d stored, %v", len(list), err)
	}
	return list
}
