package repo_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

func ExampleKeyed() {
	ctx := context.Background()
	plain, err := memrepo.New[Order](nil) // or a locked repository
	if err != nil {
		log.Fatal(err)
	}
	orders := repo.Keyed[Order, int64](plain)
	if err := orders.Save(ctx, &Order{Buyer: "Ann", Total: 900}); err != nil {
		log.Fatal(err)
	}
	o, err := orders.Update(ctx, 1, func(o *Order) error {
		o.Total += 5
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(o.Buyer, o.Total) // orders.FindByID(ctx, "1") does not compile
	// Output: Ann 905
}

func ExampleIDs() {
	ctx := context.Background()
	orders, err := memrepo.New[Order](nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := orders.SaveAll(ctx, []*Order{{Buyer: "Ann"}, {Buyer: "Bob"}, {Buyer: "Cleo"}}); err != nil {
		log.Fatal(err)
	}
	wanted := []int64{3, 1}
	found, err := orders.FindAllByID(ctx, repo.IDs(wanted...))
	if err != nil {
		log.Fatal(err)
	}
	for _, o := range found {
		fmt.Println(o.Buyer)
	}
	// Output:
	// Cleo
	// Ann
}

// seat has a key of two fields.
type seat struct {
	Row  string `gorm:"primaryKey"`
	Nr   int    `gorm:"primaryKey"`
	Name string
}

func TestKeyedCallsTheRepository(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	plain, err := memrepo.New[Order](nil)
	if err != nil {
		t.Fatal(err)
	}
	orders := repo.Keyed[Order, int64](plain)
	if err := orders.SaveAll(ctx, []*Order{{Buyer: "Ann"}, {Buyer: "Bob"}, {Buyer: "Cleo"}}); err != nil {
		t.Fatal(err)
	}
	if o, err := orders.FindByID(ctx, 2); err != nil || o.Buyer != "Bob" {
		t.Errorf("FindByID: %+v, %v", o, err)
	}
	if _, err := orders.FindByID(ctx, 9); !errors.Is(err, repo.ErrNotFound) {
		t.Errorf("FindByID of none: %v", err)
	}
	if found, err := orders.FindAllByID(ctx, []int64{3, 9, 1}); err != nil || len(found) != 2 || found[0].Buyer != "Cleo" || found[1].Buyer != "Ann" {
		t.Errorf("FindAllByID: %+v, %v", found, err)
	}
	if found, err := orders.FindAllByID(ctx, nil); err != nil || len(found) != 0 {
		t.Errorf("FindAllByID of nothing: %+v, %v", found, err)
	}
	if err := orders.DeleteByID(ctx, 2); err != nil {
		t.Errorf("DeleteByID: %v", err)
	}
	for id, want := range map[int64]bool{1: true, 2: false} {
		if there, err := orders.ExistsByID(ctx, id); err != nil || there != want {
			t.Errorf("ExistsByID %d: %t, %v", id, there, err)
		}
	}
	if n, err := orders.DeleteAllByID(ctx, []int64{1, 2, 3}); err != nil || n != 2 {
		t.Errorf("DeleteAllByID: %d, %v", n, err)
	}
	if n, err := plain.Count(ctx); err != nil || n != 0 {
		t.Errorf("%d are left, %v", n, err)
	}
}

func TestKeyedByAnEntityForAKeyOfTwoFields(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	plain, err := memrepo.New[seat](nil)
	if err != nil {
		t.Fatal(err)
	}
	seats := repo.Keyed[seat, seat](plain)
	if err := seats.Save(ctx, &seat{Row: "A", Nr: 7, Name: "Ann"}); err != nil {
		t.Fatal(err)
	}
	if s, err := seats.FindByID(ctx, seat{Row: "A", Nr: 7}); err != nil || s.Name != "Ann" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := repo.Keyed[seat, string](plain).FindByID(ctx, "A"); !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("by a type that is no id: %v", err)
	}
}

// only is a repository without capabilities.
type only[T any] struct{ repo.Repository[T] }

func TestKeyedUpdateNeedsAnUpdater(t *testing.T) {
	t.Parallel()
	plain, err := memrepo.New[Order](nil)
	if err != nil {
		t.Fatal(err)
	}
	orders := repo.Keyed[Order, int64](only[Order]{plain})
	_, err = orders.Update(t.Context(), 1, func(*Order) error { panic("called") })
	if !errors.Is(err, repo.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestKeyedRestore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	products := repo.Keyed[Product, int64](shelf(ctx))
	if err := products.DeleteByID(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if n, err := products.Restore(ctx, 1, 2); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	plain := repo.Keyed[Product, int64](only[Product]{products.Repository})
	if _, err := plain.Restore(ctx, 1); !errors.Is(err, repo.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestErrorsOfListsAreInvalid(t *testing.T) {
	t.Parallel()
	r, err := memrepo.New[Order](nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, docs := range map[string][]string{
		"Empty":   nil,
		"TooMany": {`{}`, `{}`, `{}`},
		"Bad":     {`{"total": "a lot"}`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.SmartSave(t.Context(), repo.SmartSaveDTO{EntityList: docs}, repo.MaxDocuments(2))
			if !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("got %v", err)
			}
			if empty, many := errors.Is(err, repo.ErrEmptySave), errors.Is(err, repo.ErrTooMany); empty != (name == "Empty") || many != (name == "TooMany") {
				t.Errorf("%v matches ErrEmptySave: %t, ErrTooMany: %t", err, empty, many)
			}
		})
	}
}
