package repotest

import (
	"context"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// fenceIsNoPartOfEntities: what is read is what was saved, and merging, queries
// and counting see nothing else.
func fenceIsNoPartOfEntities(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	ctx := holding(t, 5)
	noErr(t, r.SaveAll(ctx, itemsOf("a", "b")))
	stored(t, r, itemsOf("a", "b")...)
	got, err := r.FindAllByID(ctx, anyIDs("b", "a"))
	noErr(t, err)
	inOrder(t, got, "b", "a")
	same(t, got[0], item("b"))
	saved, err := r.SmartSave(ctx, docs(`{"id": "a", "name": "saved"}`), repo.Merge())
	noErr(t, err)
	same(t, saved[0], named("saved"))
	stored(t, r, named("saved"), item("b"))
}

// fenceOutlivesOthers: a call without a fence is not checked, and takes none
// away.
func fenceOutlivesOthers(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	noErr(t, r.Save(holding(t, 5), item("a")))
	noErr(t, r.Save(t.Context(), named("saved")))
	noErr(t, r.SaveAll(t.Context(), []*Item{named("again")}))
	_, err := r.SmartSave(t.Context(), docs(`{"id": "a", "stock": 1}`), repo.Merge())
	noErr(t, err)
	wantFenced(t, r.Save(holding(t, 4), named("refused")), 4, 5)
	if got := get(t, r, "a"); got.Name != "again" || got.Stock != 1 {
		t.Fatalf("got %s", shown(got))
	}
}

func fenceOfAbsent(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	ctx := holding(t, 5)
	_, err := r.FindByID(ctx, "a")
	wantErr(t, err, repo.ErrNotFound)
	none, err := r.FindAllByID(ctx, anyIDs("a", "b"))
	noErr(t, err)
	inOrder(t, none)
	noErr(t, r.DeleteByID(ctx, "a"))
	n, err := r.DeleteAllByID(ctx, anyIDs("a", "b"))
	noErr(t, err)
	if n != 0 {
		t.Fatalf("%d were deleted of none", n)
	}
	if u, ok := repo.As[repo.Updater[Item]](r); ok {
		_, err = u.Update(ctx, "a", func(*Item) error { return nil })
		wantErr(t, err, repo.ErrNotFound)
	}
	stored(t, r)
	_, err = r.SmartSave(ctx, docs(document(t, item("a"))), repo.Merge())
	noErr(t, err)
	stored(t, r, item("a"))
	wantFenced(t, r.Save(holding(t, 4), named("refused")), 4, 5)
}

// fenceOfAList: in one list are an element that a newer hold has read and one
// that it has not.
func fenceOfAList(t *testing.T, h Harness) {
	r, mode := h.fenced(t)
	saveItems(t, r, itemsOf("a", "b")...)
	_, err := r.FindByID(holding(t, 5), "b")
	noErr(t, err)
	list := itemsOf("a", "b", "c")
	for _, e := range list {
		e.Name = "changed"
	}
	stale := holding(t, 4)
	err = r.SaveAll(stale, list)
	if mode == driver.FenceTx {
		wantErr(t, err, repo.ErrFenced)
		stored(t, r, itemsOf("a", "b")...)
		return
	}
	wantNamed(t, err, repo.ErrFenced, 1)
	stored(t, r, list[0], item("b"), list[2])
	n, err := r.DeleteAllByID(stale, anyIDs("c", "b"))
	wantNamed(t, err, repo.ErrFenced, 1)
	if n != 1 {
		t.Fatalf("%d were deleted, want 1", n)
	}
	stored(t, r, list[0], item("b"))
}

// fenceOfAMergedList: what is merged is read first, so that a refusal comes
// before the first write.
func fenceOfAMergedList(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	saveItems(t, r, itemsOf("a", "b")...)
	_, err := r.FindByID(holding(t, 5), "b")
	noErr(t, err)
	_, err = r.SmartSave(holding(t, 4), docs(`{"id": "a", "name": "refused"}`, `{"id": "b", "name": "refused"}`), repo.Merge())
	wantFenced(t, err, 4, 5)
	stored(t, r, itemsOf("a", "b")...)
}

// fenceOfQueries: on a store with transactions a claim is one for everything.
func fenceOfQueries(t *testing.T, h Harness) {
	reads := map[string]func(t *testing.T, r repo.Repository[Item]) error{
		"Find": func(t *testing.T, r repo.Repository[Item]) error {
			_, err := r.Find(holding(t, 5))
			return err
		},
		"Count": func(t *testing.T, r repo.Repository[Item]) error {
			_, err := r.Count(holding(t, 5))
			return err
		},
		"ExistsByID": func(t *testing.T, r repo.Repository[Item]) error {
			_, err := r.ExistsByID(holding(t, 5), "a")
			return err
		},
	}
	for name, read := range reads {
		t.Run(name, func(t *testing.T) {
			r, mode := h.fenced(t)
			if mode != driver.FenceTx {
				t.Skip("the repository under test protects documents by themselves")
			}
			saveItems(t, r, item("a"))
			noErr(t, read(t, r))
			wantFenced(t, r.Save(holding(t, 4), item("b")), 4, 5)
			stored(t, r, item("a"))
		})
	}
}

// fenceOfVersions: a refused save leaves the caller's entity as it was.
func fenceOfVersions(t *testing.T, h Harness) {
	r, _ := fencing(t, h, "Marked", h.Marked)
	e := &Marked{ID: "a", Name: "first"}
	noErr(t, r.Save(holding(t, 5), e))
	e.Name = "refused"
	wantFenced(t, r.Save(holding(t, 4), e), 4, 5)
	if e.Rev != 1 {
		t.Fatalf("version %d of an entity that was not saved, want 1", e.Rev)
	}
	wantErr(t, r.SaveAll(holding(t, 4), []*Marked{e}), repo.ErrFenced)
	wantErr(t, r.Delete(holding(t, 4), e), repo.ErrFenced)
	if got := get(t, r, "a"); got.Name != "first" || got.Rev != 1 {
		t.Fatalf("stored is %s", shown(got))
	}
	old := *e
	noErr(t, r.Save(holding(t, 6), e))
	wantErr(t, r.Save(holding(t, 7), &old), repo.ErrStale)
	wantBatch(t, r.SaveAll(holding(t, 8), []*Marked{&old}), repo.ErrStale, 0)
	wantBatch(t, r.Delete(holding(t, 9), &old), repo.ErrStale, 0)
}

// fenceOfDeleted: the mark of a deletion is a write like any other, and what is
// marked is still fenced.
func fenceOfDeleted(t *testing.T, h Harness) {
	r, _ := fencing(t, h, "Marked", h.Marked)
	e := &Marked{ID: "a", Name: "first"}
	noErr(t, r.Save(holding(t, 5), e))
	wantErr(t, r.DeleteByID(holding(t, 4), "a"), repo.ErrFenced)
	noErr(t, r.DeleteByID(holding(t, 6), "a"))
	e.Name = "refused"
	wantErr(t, r.Save(holding(t, 5), e), repo.ErrFenced)
	wantErr(t, r.Save(holding(t, 7), e), repo.ErrNotFound)
	_, err := r.FindByID(holding(t, 8), "a")
	wantErr(t, err, repo.ErrNotFound)
	count(t, r, 0)
}

func fenceInsideTx(t *testing.T, h Harness) {
	r, _ := h.fenced(t)
	tx := transactor(t, h, r)
	saveItems(t, r, item("a"))
	stale := holding(t, 4)
	noErr(t, tx.InTx(stale, func(ctx context.Context) error { return r.Save(ctx, named("saved")) }))
	noErr(t, tx.InTx(holding(t, 5), func(ctx context.Context) error {
		_, err := r.FindByID(ctx, "a")
		return err
	}))
	err := tx.InTx(stale, func(ctx context.Context) error { return r.Save(ctx, item("b")) })
	wantErr(t, err, repo.ErrFenced)
	stored(t, r, named("saved"))
}
