package shop_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/examples/orders/shop"
	"github.com/holdfast-go/holdfast/repo"
)

// listed has five orders of one to five pieces of tea, of which the third is cancelled.
func listed(t *testing.T) *client {
	t.Helper()
	c := stocked(t)
	c.send(http.StatusOK, "POST", "/products/import", `{"entityList": [{"sku": "TEA", "stock": 100}]}`)
	for i := range 5 {
		body := strings.Replace(fmt.Sprintf(oneTea, i), `"quantity": 1`, fmt.Sprintf(`"quantity": %d`, i+1), 1)
		c.send(http.StatusCreated, "POST", "/orders", body)
	}
	c.send(http.StatusOK, "POST", "/orders/order-0002/cancel", "")
	return c
}

func TestAListIsFilteredAndSorted(t *testing.T) {
	t.Parallel()
	c := listed(t)
	for query, want := range map[string]string{
		"status=eq:placed&sort=-total":       "4 3 1 0",
		"status=in:placed,cancelled&size=2":  "0 1",
		"total=between:900,1800&sort=total":  "1 2 3",
		"total=gt:450&total=lt:1800":         "1 2",
		"sort=status&sort=-total":            "2 4 3 1 0",
		"customerId=eq:2":                    "",
		"id=prefix:order-0003":               "3",
		"createdAt=gt:2020-01-01T00:00:00Z":  "0 1 2 3 4",
		"status=notNull&status=ne:cancelled": "0 1 3 4",
	} {
		w := get[repo.Window[shop.Order]](c, "/orders?"+query)
		got := strings.Join(lo.Map(w.Items, func(o *shop.Order, _ int) string { return strings.TrimPrefix(o.ID, "order-000") }), " ")
		if got != want {
			t.Errorf("%s finds %q, want %q", query, got, want)
		}
	}
}

func TestAListIsReadWindowByWindow(t *testing.T) {
	t.Parallel()
	c := listed(t)
	var got []string
	for next, n := "", 0; n == 0 || next != ""; n++ {
		w := get[repo.Window[shop.Order]](c, "/orders?sort=-total&size=2&after="+url.QueryEscape(next))
		for _, o := range w.Items {
			got = append(got, o.ID)
		}
		next = w.Next
	}
	if strings.Join(got, " ") != "order-0004 order-0003 order-0002 order-0001 order-0000" {
		t.Errorf("the windows have %q", got)
	}
}

func TestAWrongQueryIsRefused(t *testing.T) {
	t.Parallel()
	c := listed(t)
	next := url.QueryEscape(get[repo.Window[shop.Order]](c, "/orders?sort=-total&size=2").Next)
	tampered := []byte(next)
	tampered[len(tampered)/2] ^= 1
	for _, query := range []string{
		"colour=eq:red", "lines=notNull", "version=eq:1", "sort=version", "sort=", "status", "status=placed", "status=like:p%25",
		"total=eq:ten", "total=between:1", "size=0", "size=101", "size=many", "after=x", "sort=-total&after=" + string(tampered),
		"sort=total&after=" + next, "sort=-total&status=eq:placed&after=" + next,
	} {
		c.send(http.StatusBadRequest, "GET", "/orders?"+query, "")
	}
	c.send(http.StatusBadRequest, "GET", "/customers/one", "")
	c.send(http.StatusNotFound, "GET", "/customers/2", "")
	c.send(http.StatusNotFound, "GET", "/orders/none", "")
	c.send(http.StatusBadRequest, "GET", "/products?deletedAt=notNull", "")
	c.send(http.StatusOK, "GET", "/products?stock=ge:3&sort=sku", "")
	c.send(http.StatusOK, "GET", "/customers?sort=-total", "")
}

func TestAPodSaysWhetherItLivesAndIsReady(t *testing.T) {
	t.Parallel()
	c := newShop(t)
	c.send(http.StatusOK, "GET", "/livez", "")
	c.send(http.StatusOK, "GET", "/readyz", "")
	c.ready = errors.New("etcd is away")
	c.send(http.StatusOK, "GET", "/livez", "")
	c.send(http.StatusServiceUnavailable, "GET", "/readyz", "")
}
