package repotest

import (
	"context"
	"errors"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

// writes are calls of every method of repo.Writer but Restore that change an item: each
// inserts n or changes a.
func writes(w repo.Writer[Item]) map[string]func(ctx context.Context) error {
	id, name := repo.F[Item, string]("ID"), repo.F[Item, string]("Name")
	return map[string]func(ctx context.Context) error{
		"Insert":         func(ctx context.Context) error { return w.Insert(ctx, item("n")) },
		"InsertIfAbsent": func(ctx context.Context) error { _, err := w.InsertIfAbsent(ctx, item("n")); return err },
		"UpsertBy": func(ctx context.Context) error {
			_, err := w.UpsertBy(ctx, []*Item{named("written"), item("n")}, skuOf())
			return err
		},
		"UpdateWhere": func(ctx context.Context) error {
			_, err := w.UpdateWhere(ctx, id.Eq("a"), name.Set("written"))
			return err
		},
		"DeleteWhere": func(ctx context.Context) error { _, err := w.DeleteWhere(ctx, id.Eq("a")); return err },
	}
}

func writesOfAnEndedContext(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	saveItems(t, r, item("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, write := range writes(w) {
		err := write(ctx)
		t.Run(name, func(t *testing.T) { wantErr(t, err, context.Canceled) })
	}
	_, err := writer(t, h, h.marked(t)).Restore(ctx, "a")
	wantErr(t, err, context.Canceled)
	stored(t, r, item("a"))
}

func writesInTx(t *testing.T, h Harness) {
	mine := errors.New("changed my mind")
	for _, name := range []string{"Insert", "InsertIfAbsent", "UpsertBy", "UpdateWhere", "DeleteWhere"} {
		t.Run(name, func(t *testing.T) {
			r := h.items(t)
			tx := transactor(t, h, r)
			write := writes(writer(t, h, r))[name]
			saveItems(t, r, item("a"))
			err := tx.InTx(t.Context(), func(ctx context.Context) error {
				if err := write(ctx); err != nil {
					return err
				}
				return mine
			})
			wantOwn(t, err, mine)
			stored(t, r, item("a"))
			noErr(t, tx.InTx(t.Context(), func(ctx context.Context) error { return write(ctx) }))
			n, err := r.Count(t.Context())
			noErr(t, err)
			if got, _ := r.FindByID(t.Context(), "a"); n == 1 && alike(got, item("a")) {
				t.Error("nothing was committed")
			}
		})
	}
	r := h.marked(t)
	tx, w := transactor(t, h, r), writer(t, h, r)
	marked(t, r, "a")
	noErr(t, r.DeleteByID(t.Context(), "a"))
	wantOwn(t, tx.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := w.Restore(ctx, "a"); err != nil {
			return err
		}
		return mine
	}), mine)
	nobody(t, r, "a")
	noErr(t, tx.InTx(t.Context(), func(ctx context.Context) error { _, err := w.Restore(ctx, "a"); return err }))
	get(t, r, "a")
}

// fenceRefusesWriters: what an older hold writes is refused where a newer one was, and
// nothing is written.
func fenceRefusesWriters(t *testing.T, h Harness) {
	need(t, h.Features.Writer, "Writer")
	touch := func(w repo.Writer[Item]) map[string]func(ctx context.Context) error {
		calls := writes(w)
		calls["Insert"] = func(ctx context.Context) error { return w.Insert(ctx, named("written")) }
		calls["InsertIfAbsent"] = func(ctx context.Context) error { _, err := w.InsertIfAbsent(ctx, named("written")); return err }
		calls["UpsertBy"] = func(ctx context.Context) error {
			_, err := w.UpsertBy(ctx, []*Item{named("written")}, skuOf())
			return err
		}
		return calls
	}
	for _, name := range []string{"Insert", "InsertIfAbsent", "UpsertBy", "UpdateWhere", "DeleteWhere"} {
		t.Run(name, func(t *testing.T) {
			r, _ := h.fenced(t)
			w := writer(t, h, r)
			noErr(t, r.SaveAll(holding(t, 5), itemsOf("a", "b")))
			wantFenced(t, touch(w)[name](holding(t, 4)), 4, 5)
			stored(t, r, itemsOf("a", "b")...)
			noErr(t, writes(w)[name](holding(t, 6)))
			if name == "DeleteWhere" {
				n, err := r.Count(t.Context())
				wantN(t, n, err, 1)
				return
			}
			if name == "Insert" || name == "InsertIfAbsent" {
				wantFenced(t, r.Save(holding(t, 5), item("n")), 5, 6)
			} else {
				wantFenced(t, r.Save(holding(t, 5), item("a")), 5, 6)
			}
		})
	}
	t.Run("Restore", func(t *testing.T) {
		r, _ := fencing(t, h, "Marked", h.Marked)
		w := writer(t, h, r)
		noErr(t, r.Save(holding(t, 5), &Marked{ID: "a"}))
		noErr(t, r.DeleteByID(holding(t, 6), "a"))
		_, err := w.Restore(holding(t, 5), "a")
		wantFenced(t, err, 5, 6)
		nobody(t, r, "a")
		n, err := w.Restore(holding(t, 7), "a")
		wantN(t, n, err, 1)
		wantFenced(t, r.Save(holding(t, 6), get(t, r, "a")), 6, 7)
	})
}
