package repotest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

// chunkSaves are the ways to save a list in chunks.
func chunkSaves(t *testing.T, r repo.Repository[Item]) map[string]func(ctx context.Context, list []*Item, n int) ([]*Item, error) {
	t.Helper()
	smart := func(ctx context.Context, list []*Item, n int, mode repo.SmartSaveOption) ([]*Item, error) {
		texts := make([]string, len(list))
		for i, e := range list {
			texts[i] = document(t, e)
		}
		return r.SmartSave(ctx, docs(texts...), mode, repo.Chunks(n))
	}
	ways := map[string]func(ctx context.Context, list []*Item, n int) ([]*Item, error){
		"Replace": func(ctx context.Context, list []*Item, n int) ([]*Item, error) {
			return smart(ctx, list, n, repo.Replace())
		},
		"Merge": func(ctx context.Context, list []*Item, n int) ([]*Item, error) {
			return smart(ctx, list, n, repo.Merge())
		},
	}
	if saver, ok := repo.As[repo.ChunkSaver[Item]](r); ok {
		ways["SaveChunks"] = func(ctx context.Context, list []*Item, n int) ([]*Item, error) {
			err := saver.SaveChunks(ctx, list, n)
			if at, ok := errors.AsType[*repo.ChunkError](err); ok {
				return list[:at.Done], err
			}
			return list, err
		}
	}
	return ways
}

// chunksSaveAll: the end is that of a save at once, whatever the size of the chunks.
func chunksSaveAll(t *testing.T, h Harness) {
	for _, n := range []int{1, 2, 5, 9} {
		r := h.items(t)
		for name, save := range chunkSaves(t, r) {
			list := itemsOf("c", "a", "e", "b", "d")
			list[0].Name = name
			out, err := save(t.Context(), list, n)
			noErr(t, err)
			inOrder(t, out, "c", "a", "e", "b", "d")
			stored(t, r, list...)
		}
	}
}

// chunksBeforeAFailure are stored for good, and those behind it are not begun.
func chunksBeforeAFailure(t *testing.T, h Harness) {
	for name := range chunkSaves(t, h.items(t)) {
		r := h.items(t)
		taken := item("taken")
		saveItems(t, r, taken)
		list := itemsOf("a", "b", "c", "d", "e", "f", "g")
		list[3].SKU = taken.SKU
		out, err := chunkSaves(t, r)[name](t.Context(), list, 2)
		at, ok := errors.AsType[*repo.ChunkError](err)
		if !ok || at.Done != 2 {
			t.Fatalf("%s: got %v, want a *repo.ChunkError after 2", name, err)
		}
		wantBatch(t, at.Err, repo.ErrDuplicateKey, 1)
		inOrder(t, out, "a", "b")
		want := []*Item{taken, list[0], list[1]}
		if !h.Features.AtomicSaveAll {
			want = append(want, list[2])
		}
		stored(t, r, want...)
		list[3].SKU = item("d").SKU
		out, err = chunkSaves(t, r)[name](t.Context(), list[at.Done:], 2)
		noErr(t, err)
		inOrder(t, out, "c", "d", "e", "f", "g")
		stored(t, r, slices.Concat([]*Item{taken}, list)...)
	}
}

// chunksOfABadSize, and a bad element in the last chunk, are refused before the first.
func chunksRefuseBadInput(t *testing.T, h Harness) {
	r := h.items(t)
	for name, save := range chunkSaves(t, r) {
		for _, n := range []int{0, -1} {
			if _, err := save(t.Context(), itemsOf("a"), n); !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%s: chunks of %d: %v", name, n, err)
			}
		}
	}
	_, err := r.SmartSave(t.Context(), docs(document(t, item("a")), `{`), repo.Chunks(1))
	wantBatch(t, err, repo.ErrInvalid, 1)
	if saver, ok := repo.As[repo.ChunkSaver[Item]](r); ok {
		wantBatch(t, saver.SaveChunks(t.Context(), []*Item{item("a"), nil}, 1), repo.ErrInvalid, 1)
	}
	stored(t, r)
}

// chunksInTx would be committed all together.
func chunksInTx(t *testing.T, h Harness) {
	r := h.items(t)
	tx := transactor(t, h, r)
	for name, save := range chunkSaves(t, r) {
		err := tx.InTx(t.Context(), func(ctx context.Context) error {
			if _, err := save(ctx, itemsOf("a", "b"), 1); !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
			return nil
		})
		noErr(t, err)
	}
	stored(t, r)
}

// chunksOfAnEndedContext are none.
func chunksOfAnEndedContext(t *testing.T, h Harness) {
	r := h.items(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, save := range chunkSaves(t, r) {
		out, err := save(ctx, itemsOf("a", "b"), 1)
		if !errors.Is(err, context.Canceled) || len(out) != 0 {
			t.Errorf("%s: %v, %v", name, out, err)
		}
	}
	stored(t, r)
}
