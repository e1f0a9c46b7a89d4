package repotest

import (
	"context"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

// zeroWays are all ways to save an entity that was read.
func zeroWays(t *testing.T, r repo.Repository[Marked]) map[string]func(ctx context.Context, e *Marked) error {
	t.Helper()
	return map[string]func(ctx context.Context, e *Marked) error{
		"Save":    func(ctx context.Context, e *Marked) error { return r.Save(ctx, e) },
		"SaveAll": func(ctx context.Context, e *Marked) error { return r.SaveAll(ctx, []*Marked{{ID: "other"}, e}) },
		"Replace": func(ctx context.Context, e *Marked) error {
			saved, err := r.SmartSave(ctx, docs(document(t, e)))
			if err == nil {
				*e = *saved[0]
			}
			return err
		},
		"Merge": func(ctx context.Context, e *Marked) error {
			saved, err := r.SmartSave(ctx, docs(document(t, e)), repo.Merge())
			if err == nil {
				*e = *saved[0]
			}
			return err
		},
	}
}

// versionFromZero: what is stored with version 0 and was read is no new entity.
func versionFromZero(t *testing.T, h Harness) {
	for name := range zeroWays(t, nil) {
		t.Run(name, func(t *testing.T) {
			r := from(t, "Marked from version 0", h.FromZero)
			first := &Marked{ID: "a", Name: "first"}
			noErr(t, r.Save(t.Context(), first))
			if first.Rev != 0 {
				t.Fatalf("a new entity has version %d, want 0", first.Rev)
			}
			read, stale := get(t, r, "a"), get(t, r, "a")
			read.Name = "changed"
			noErr(t, zeroWays(t, r)[name](t.Context(), read))
			got := get(t, r, "a")
			if read.Rev != 1 || got.Rev != 1 || got.Name != "changed" || !got.Made.Equal(stale.Made) {
				t.Fatalf("got %s, stored is %s", shown(read), shown(got))
			}
			stale.Name = "late"
			wantErr(t, r.Save(t.Context(), stale), repo.ErrDuplicateKey)
			if get(t, r, "a").Name != "changed" {
				t.Fatal("version 0 has overwritten version 1")
			}
		})
	}
}

// versionFromZeroInTx: the same where a write that fails ends the transaction.
func versionFromZeroInTx(t *testing.T, h Harness) {
	r := from(t, "Marked from version 0", h.FromZero)
	tx := transactor(t, h, r)
	noErr(t, r.Save(t.Context(), &Marked{ID: "a", Name: "first"}))
	noErr(t, tx.InTx(t.Context(), func(ctx context.Context) error {
		e, err := r.FindByID(ctx, "a")
		if err != nil {
			return err
		}
		e.Name = "changed"
		return r.SaveAll(ctx, []*Marked{e, {ID: "b", Name: "new"}})
	}))
	if got := get(t, r, "a"); got.Name != "changed" || got.Rev != 1 {
		t.Fatalf("stored is %s", shown(got))
	}
	count(t, r, 2)
}
