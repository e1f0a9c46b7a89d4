package memrepo_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// shop is two repositories on one database.
func shop(t *testing.T) (*memrepo.Repository[Product], *memrepo.Repository[note]) {
	t.Helper()
	db := memrepo.NewDB()
	return open[Product](t, &memrepo.Options{DB: db}), open[note](t, &memrepo.Options{DB: db})
}

var errMine = errors.New("changed my mind")

func counts[T any](t *testing.T, r *memrepo.Repository[T], want int64) {
	t.Helper()
	n, err := r.Count(t.Context())
	must(t, err)
	if n != want {
		t.Errorf("%d are stored, want %d", n, want)
	}
}

func TestInTx_SpansRepositoriesOfOneDB(t *testing.T) {
	t.Parallel()
	products, notes := shop(t)
	for _, result := range []error{errMine, nil} {
		err := products.InTx(t.Context(), func(ctx context.Context) error {
			must(t, products.Save(ctx, &Product{SKU: "bolt"}))
			must(t, notes.Save(ctx, &note{ID: "a"}))
			// Others do not see it, and do not wait.
			counts(t, products, 0)
			return result
		})
		if !errors.Is(err, result) {
			t.Fatalf("got %v, want %v", err, result)
		}
	}
	counts(t, products, 1)
	counts(t, notes, 1)
	// What a rolled-back transaction had in a unique column is free.
	wantErr(t, products.Save(t.Context(), &Product{SKU: "bolt"}), repo.ErrDuplicateKey)
}

func TestInTx_OfAnotherDBIsForeign(t *testing.T) {
	t.Parallel()
	products, _ := shop(t)
	_, others := shop(t)
	must(t, others.Save(t.Context(), &note{ID: "a"}))
	must(t, products.InTx(t.Context(), func(ctx context.Context) error {
		if others.TxState(ctx) != driver.TxForeign {
			t.Error("the transaction of another database can be joined")
		}
		wantErr(t, others.Save(ctx, &note{ID: "b"}), repo.ErrInTx)
		wantErr(t, others.InTx(ctx, func(context.Context) error { return nil }), repo.ErrInTx)
		_, err := others.FindByID(ctx, "a")
		return err
	}))
	counts(t, others, 1)
}

func TestInTx_SavepointTakesBackTheNestedPart(t *testing.T) {
	t.Parallel()
	products, notes := shop(t)
	must(t, products.InTx(t.Context(), func(ctx context.Context) error {
		must(t, products.Save(ctx, &Product{SKU: "bolt"}))
		wantErr(t, notes.InTx(repo.WithSavepoint(ctx), func(ctx context.Context) error {
			must(t, notes.Save(ctx, &note{ID: "a"}))
			// What fails in the nested part spoils only that.
			wantErr(t, products.Save(ctx, &Product{SKU: "bolt"}), repo.ErrDuplicateKey)
			return nil
		}), repo.ErrRolledBack)
		wantErr(t, notes.InTx(repo.WithSavepoint(ctx), func(ctx context.Context) error {
			must(t, notes.Save(ctx, &note{ID: "b"}))
			return errMine
		}), errMine)
		return notes.InTx(repo.WithSavepoint(ctx), func(ctx context.Context) error {
			return notes.Save(ctx, &note{ID: "c"})
		})
	}))
	counts(t, products, 1)
	counts(t, notes, 1)
	_, err := notes.FindByID(t.Context(), "c")
	must(t, err)
}

// A call that a database would have aborted the transaction for does so here.
func TestInTx_FailuresThatSpoil(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		call   func(ctx context.Context, products *memrepo.Repository[Product], notes *memrepo.Repository[note]) error
		spoils bool
	}{
		"DuplicateKey": {func(ctx context.Context, p *memrepo.Repository[Product], _ *memrepo.Repository[note]) error {
			return p.Save(ctx, &Product{SKU: "bolt"})
		}, true},
		"PartOfAList": {func(ctx context.Context, _ *memrepo.Repository[Product], n *memrepo.Repository[note]) error {
			return n.SaveAll(ctx, []*note{{ID: "b"}, {ID: "a", Rev: 9}})
		}, true},
		"Stale": {func(ctx context.Context, _ *memrepo.Repository[Product], n *memrepo.Repository[note]) error {
			return n.Save(ctx, &note{ID: "a", Rev: 9})
		}, false},
		"NotFound": {func(ctx context.Context, p *memrepo.Repository[Product], _ *memrepo.Repository[note]) error {
			_, err := p.FindByID(ctx, 7)
			return err
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			products, notes := shop(t)
			must(t, products.Save(t.Context(), &Product{SKU: "bolt"}))
			must(t, notes.Save(t.Context(), &note{ID: "a"}))
			err := products.InTx(t.Context(), func(ctx context.Context) error {
				must(t, products.Save(ctx, &Product{SKU: "nut"}))
				if c.call(ctx, products, notes) == nil {
					t.Error("it did not fail")
				}
				return nil
			})
			if c.spoils {
				wantErr(t, err, repo.ErrRolledBack)
				counts(t, products, 1)
				return
			}
			must(t, err)
			counts(t, products, 2)
		})
	}
}

func TestInTx_ARolledBackClaimIsNone(t *testing.T) {
	t.Parallel()
	products, _ := shop(t)
	fence := func(token int64) context.Context { return driver.WithFence(t.Context(), oneClaim{"orders", token}) }
	wantErr(t, products.InTx(fence(5), func(context.Context) error { return errMine }), errMine)
	must(t, products.Save(fence(4), &Product{SKU: "bolt"}))
	must(t, products.InTx(fence(6), func(context.Context) error { return nil }))
	wantErr(t, products.InTx(fence(5), func(context.Context) error { t.Error("it ran"); return nil }), repo.ErrFenced)
}

// oneClaim is a fence that shows one claim again and again.
type oneClaim struct {
	key   string
	token int64
}

func (c oneClaim) Claims() []repo.Claim { return []repo.Claim{{Key: c.key, Token: c.token}} }

// A write with another context would wait for the transaction that it is part
// of. It ends with its context, or when a connection would have taken too long.
func TestInTx_AWriteFromOutsideWaits(t *testing.T) {
	t.Parallel()
	products, notes := shop(t)
	must(t, products.InTx(t.Context(), func(context.Context) error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		wantErr(t, notes.Save(ctx, &note{ID: "a"}), context.Canceled)
		wantErr(t, notes.Save(driver.WithConnWait(t.Context(), time.Millisecond), &note{ID: "a"}), repo.ErrBusy)
		return nil
	}))
	must(t, notes.Save(t.Context(), &note{ID: "a"}))
}

func TestGuard_Moves(t *testing.T) {
	t.Parallel()
	products, _ := shop(t)
	ctx := t.Context()
	under := func(key string, token int64) context.Context { return driver.WithFence(ctx, oneClaim{key, token}) }
	wantErr(t, products.MoveGuard(ctx, "old", "new"), repo.ErrNotFound)
	must(t, products.Save(under("old", 1), &Product{SKU: "bolt"}))
	err := products.Save(under("new", 1), &Product{SKU: "nut"})
	wantErr(t, err, repo.ErrWrongKey)
	if wrong, ok := errors.AsType[*repo.WrongKeyError](err); !ok || wrong.Registered != "old" || wrong.Presented[0] != "new" {
		t.Errorf("got %v, want both keys", err)
	}
	_, err = products.Count(under("new", 1))
	wantErr(t, err, repo.ErrWrongKey)
	wantErr(t, products.MoveGuard(ctx, "other", "new"), repo.ErrWrongKey)
	wantErr(t, products.MoveGuard(ctx, "old", "old"), repo.ErrInvalid)
	for range 2 {
		must(t, products.MoveGuard(ctx, "old", "new"))
	}
	must(t, products.Save(under("new", 1), &Product{SKU: "nut"}))
	wantErr(t, products.Save(under("old", 2), &Product{SKU: "screw"}), repo.ErrWrongKey)
}

type order struct {
	ID        int64
	Buyer     *small
	CreatedAt time.Time
	UpdatedAt *time.Time
}

// By default what differs between stores is as on SQL.
func TestDocumentsOption(t *testing.T) {
	t.Parallel()
	for name, documents := range map[string]bool{"SQL": false, "MongoDB": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open[order](t, &memrepo.Options{Documents: documents})
			o := &order{}
			must(t, r.Save(t.Context(), o))
			if o.CreatedAt.IsZero() != documents || (o.UpdatedAt == nil) != documents {
				t.Errorf("times are %s and %v", o.CreatedAt, o.UpdatedAt)
			}
			_, err := r.Find(t.Context(), repo.F[order, string]("Buyer.Name").Eq("a"))
			_, sorted := r.Find(t.Context(), repo.F[order, string]("Buyer.Name").Asc())
			for _, err := range []error{err, sorted} {
				if errors.Is(err, repo.ErrUnsupported) == documents {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}
