package lockedrepo_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// ticket is of a tenant, which is no part of its id.
type ticket struct {
	ID     int64  `json:"id"`
	Tenant string `json:"tenant"`
	N      int    `json:"n"`
}

// tickets is a store that notes which claims it is shown, and calls before each Update.
type tickets struct {
	txStore[ticket]
	before func()
}

func (s tickets) Update(ctx context.Context, id any, fn func(*ticket) error) (*ticket, error) {
	s.note(ctx, "Update")
	s.before()
	return s.Repository.Update(outside(ctx), id, fn)
}

type ticketBundle struct {
	*lockedrepo.Repository[ticket]
	store   *tickets
	claimed [][]string
}

// setupTickets has the tickets 1 of tenant "a" and 2 of "b".
func setupTickets(t *testing.T) *ticketBundle {
	t.Helper()
	mem, err := memrepo.New[ticket](nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &ticketBundle{}
	note := func(ctx context.Context, _ string) {
		var keys []string
		if f, ok := driver.FenceFrom(ctx); ok {
			for _, c := range f.Claims() {
				keys = append(keys, c.Key)
			}
			b.claimed = append(b.claimed, keys)
		}
	}
	b.store = &tickets{txStore[ticket]{mem, &database{savepoints: true}, note}, func() {}}
	stripes := lockedrepo.ByFunc(stripeCount, func(e *ticket) string { return e.Tenant })
	b.Repository, err = lockedrepo.New[ticket](b.store, newLocker(t, newCluster(t), nil), &lockedrepo.Options{Key: "k", Stripes: stripes})
	if err != nil {
		t.Fatal(err)
	}
	if err := mem.SaveAll(t.Context(), []*ticket{{ID: 1, Tenant: "a"}, {ID: 2, Tenant: "b"}}); err != nil {
		t.Fatal(err)
	}
	return b
}

// wantClaims compares what the last calls have shown.
func (b *ticketBundle) wantClaims(t *testing.T, name string, want ...[]string) {
	t.Helper()
	if !slices.EqualFunc(b.claimed, want, slices.Equal[[]string]) {
		t.Errorf("%s: got %q, want %q", name, b.claimed, want)
	}
	b.claimed = nil
}

func add(e *ticket) error { e.N++; return nil }

func TestStripesByFunc_OfACall(t *testing.T) {
	t.Parallel()
	b := setupTickets(t)
	ctx := t.Context()
	a, both, all := keysOf(t, b.Repository, ticket{Tenant: "a"}), keysOf(t, b.Repository, ticket{Tenant: "a"}, &ticket{Tenant: "b"}), b.Keys()
	if len(a) != 1 || len(both) != 2 || len(all) != stripeCount {
		t.Fatalf("stripes are %q, %q, %q", a, both, all)
	}
	calls := []struct {
		name string
		want []string
		call func() error
	}{
		{"Save", a, func() error { return b.Save(ctx, &ticket{ID: 1, Tenant: "a"}) }},
		{"OtherSpelling", a, func() error { return b.Save(ctx, &ticket{ID: 1, Tenant: "A "}) }},
		{"NoText", all, func() error { return b.Save(ctx, &ticket{ID: 9}) }},
		{"Update", a, func() error { _, err := b.Update(ctx, 1, add); return err }},
		{"UpdateByEntity", a, func() error { _, err := b.Update(ctx, ticket{ID: 1, Tenant: "a"}, add); return err }},
		{"UpdateOfAbsent", all, func() error {
			if _, err := b.Update(ctx, 77, add); !errors.Is(err, repo.ErrNotFound) {
				return err
			}
			return nil
		}},
		{"InTx", both, func() error { return lockedrepo.InTx(ctx, nothing, b.For(ticket{Tenant: "a"}, ticket{Tenant: "b"})) }},
	}
	for _, c := range calls {
		if err := c.call(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		b.wantClaims(t, c.name, c.want)
	}
	if keys := keysOf(t, b.Repository, 1); !slices.Equal(keys, all) {
		t.Errorf("an id that tells nothing is of %q", keys)
	}
}

// An id can come to be of another entity before the lock is there.
func TestStripesByFunc_UpdateLooksAgain(t *testing.T) {
	t.Parallel()
	b := setupTickets(t)
	moved := false
	b.store.before = func() {
		if !moved {
			moved = true
			if err := b.store.Repository.Save(t.Context(), &ticket{ID: 1, Tenant: "b", N: 5}); err != nil {
				t.Error(err)
			}
		}
	}
	e, err := b.Update(t.Context(), 1, add)
	if err != nil || e.N != 6 {
		t.Errorf("got %+v, %v", e, err)
	}
	b.wantClaims(t, "Update", keysOf(t, b.Repository, ticket{Tenant: "a"}), b.Keys())
}

func TestStripesByFunc_UpdateKeepsTheText(t *testing.T) {
	t.Parallel()
	b := setupTickets(t)
	_, err := b.Update(t.Context(), 1, func(e *ticket) error { e.Tenant, e.N = "b", 7; return nil })
	e, _ := b.FindByID(t.Context(), 1)
	if !errors.Is(err, repo.ErrInvalid) || e.Tenant != "a" || e.N != 0 {
		t.Errorf("got %+v, %v", e, err)
	}
}

// What is read under the stripe of one tenant is of that tenant.
func TestStripesByFunc_Reads(t *testing.T) {
	t.Parallel()
	b := setupTickets(t)
	err := lockedrepo.InTx(t.Context(), func(ctx context.Context) error {
		e, err := b.FindByID(ctx, ticket{ID: 1, Tenant: "a"})
		if err != nil || e.ID != 1 {
			t.Errorf("got %+v, %v", e, err)
		}
		if e, err = b.Update(ctx, 1, add); err != nil || e.N != 1 {
			t.Errorf("Update: %+v, %v", e, err)
		}
		if _, err := b.FindByID(ctx, 1); !errors.Is(err, lockedrepo.ErrStripes) {
			t.Errorf("an id that tells nothing: %v", err)
		}
		for _, id := range []any{ticket{ID: 2, Tenant: "a"}} {
			if _, err := b.FindByID(ctx, id); !errors.Is(err, lockedrepo.ErrStripes) {
				t.Errorf("an entity of another tenant: %v", err)
			}
			if _, err := b.FindAllByID(ctx, []any{id}); !errors.Is(err, lockedrepo.ErrStripes) {
				t.Errorf("entities of another tenant: %v", err)
			}
		}
		return nil
	}, b.For(ticket{Tenant: "a"}))
	if err != nil {
		t.Error(err)
	}
	if e, err := b.FindByID(t.Context(), 2); err != nil || e.Tenant != "b" {
		t.Errorf("without a lock: %+v, %v", e, err)
	}
}
