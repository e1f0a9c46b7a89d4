package shop_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/examples/orders/shop"
)

func TestAnImportMergesWhatItNames(t *testing.T) {
	t.Parallel()
	c := stocked(t)
	before := get[shop.Product](c, "/products/TEA")
	// Texts, as Java clients send them, and objects.
	answer := c.send(http.StatusOK, "POST", "/products/import", `{"entityList": ["{\"sku\": \"TEA\", \"price\": 500}", {"sku": "HAT", "stock": 1}]}`)
	if answer != "{\"saved\":2}\n" {
		t.Errorf("the answer is %s", answer)
	}
	after := get[shop.Product](c, "/products/TEA")
	if after.Price != 500 || after.Name != "Tea" || after.Stock != 10 || !after.CreatedAt.Equal(before.CreatedAt) {
		t.Errorf("%+v became %+v", before, after)
	}
}

func TestALongImportIsSavedInChunks(t *testing.T) {
	t.Parallel()
	c := newShop(t)
	var list []string
	for i := range 1200 {
		list = append(list, fmt.Sprintf(`{"sku": "P-%04d", "price": %d}`, i, i))
	}
	body := `{"entityList": [` + strings.Join(list, ",") + `]}`
	count := func(want int64) {
		t.Helper()
		if n, err := c.stores.Products.Count(t.Context()); n != want || err != nil {
			t.Errorf("%d products, %v, want %d", n, err, want)
		}
	}
	// One that is marked as deleted stops the import behind the first chunk.
	c.send(http.StatusOK, "POST", "/products/import", `{"entityList": [`+list[700]+`]}`)
	c.send(http.StatusNoContent, "DELETE", "/products/P-0700", "")
	answer := c.send(http.StatusUnprocessableEntity, "POST", "/products/import", body)
	if !strings.Contains(answer, "element 700 ") || !strings.Contains(answer, "first 500 are saved") {
		t.Errorf("the answer is %s", answer)
	}
	count(500)
	c.send(http.StatusOK, "POST", "/products/import", strings.Replace(body, list[700]+",", "", 1))
	count(1199)
}

func TestABadImportChangesNothing(t *testing.T) {
	t.Parallel()
	c := stocked(t)
	for name, wrong := range map[string]struct {
		status     int
		body, says string
	}{
		"an unknown field":         {400, `{"entityList": [{"sku": "TEA", "stock": 1}, {"sku": "MUG", "stok": 1}]}`, "element 1"},
		"a stock below zero":       {400, `{"entityList": [{"sku": "TEA", "stock": 1}, {"sku": "MUG", "stock": -1}]}`, "element 1"},
		"a price that is a text":   {400, `{"entityList": [{"sku": "TEA", "stock": 1, "price": "1"}]}`, "element 0"},
		"no SKU":                   {400, `{"entityList": [{"sku": "TEA", "stock": 1}, {"stock": 1}]}`, "element 1"},
		"a number as a document":   {400, `{"entityList": [{"sku": "TEA", "stock": 1}, 7]}`, "element 1"},
		"an empty list":            {400, `{"entityList": []}`, "empty"},
		"another name of the list": {400, `{"entities": []}`, ""},
		"a list without a name":    {400, `[{"sku": "TEA", "stock": 1}]`, ""},
		"no JSON":                  {400, `sku;stock`, ""},
		"too many bytes":           {413, `{"entityList": [` + strings.Repeat(" ", 8<<20) + `]}`, ""},
		"too many documents":       {413, `{"entityList": [` + strings.Repeat(`{"sku": "TEA"},`, 10_000) + `{"sku": "TEA"}]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := *c
			c.t = t
			if answer := c.send(wrong.status, "POST", "/products/import", wrong.body); !strings.Contains(answer, wrong.says) {
				t.Errorf("the answer does not say %q: %s", wrong.says, answer)
			}
			c.want(10, 3, 0)
		})
	}
}

func TestAProductIsCreatedAndDeleted(t *testing.T) {
	t.Parallel()
	c := stocked(t)
	hat := `{"sku": "HAT", "name": "Hat", "price": 5, "stock": 1}`
	c.send(http.StatusCreated, "POST", "/products", hat)
	c.send(http.StatusConflict, "POST", "/products", hat)
	c.send(http.StatusBadRequest, "POST", "/products", strings.Replace(hat, "HAT", "hat", 1))
	c.send(http.StatusBadRequest, "POST", "/products", strings.Replace(hat, "stock", "createdAt", 1))
	c.send(http.StatusBadRequest, "POST", "/customers", `{"name": ""}`)
	c.send(http.StatusBadRequest, "POST", "/customers", `{"name": "Bob", "total": 7}`)

	c.send(http.StatusCreated, "POST", "/orders", teaAndMug)
	for range 2 {
		c.send(http.StatusNoContent, "DELETE", "/products/MUG", "")
	}
	c.send(http.StatusNotFound, "GET", "/products/MUG", "")
	c.send(http.StatusUnprocessableEntity, "POST", "/orders", strings.Replace(teaAndMug, "0001", "0002", 1))
	c.send(http.StatusUnprocessableEntity, "POST", "/products", strings.Replace(hat, "HAT", "MUG", 1))
	// An order with a product that is gone can still be cancelled.
	c.send(http.StatusOK, "POST", "/orders/order-0001/cancel", "")
	if tea := get[shop.Product](c, "/products/TEA"); tea.Stock != 10 {
		t.Errorf("the tea is %+v", tea)
	}
}
