package repotest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

// call is one method of a repository that holds the items a and b.
type call struct {
	name string
	do   func(ctx context.Context, r repo.Repository[Item]) error
}

func calls(t *testing.T, h Harness) []call {
	t.Helper()
	text := document(t, item("new"))
	list := []call{
		{"Save", func(ctx context.Context, r repo.Repository[Item]) error { return r.Save(ctx, item("new")) }},
		{"SaveAll", func(ctx context.Context, r repo.Repository[Item]) error { return r.SaveAll(ctx, itemsOf("new", "b")) }},
		{"SmartSave", func(ctx context.Context, r repo.Repository[Item]) error {
			_, err := r.SmartSave(ctx, docs(text))
			return err
		}},
		{"SmartSave/Merge", func(ctx context.Context, r repo.Repository[Item]) error {
			_, err := r.SmartSave(ctx, docs(`{"id":"a","name":"merged"}`), repo.Merge())
			return err
		}},
		{"FindByID", func(ctx context.Context, r repo.Repository[Item]) error { _, err := r.FindByID(ctx, "a"); return err }},
		{"FindAllByID", func(ctx context.Context, r repo.Repository[Item]) error {
			_, err := r.FindAllByID(ctx, []any{"a"})
			return err
		}},
		{"ExistsByID", func(ctx context.Context, r repo.Repository[Item]) error { _, err := r.ExistsByID(ctx, "a"); return err }},
		{"Find", func(ctx context.Context, r repo.Repository[Item]) error { _, err := r.Find(ctx); return err }},
		{"Count", func(ctx context.Context, r repo.Repository[Item]) error { _, err := r.Count(ctx); return err }},
		{"Delete", func(ctx context.Context, r repo.Repository[Item]) error { return r.Delete(ctx, item("a")) }},
		{"DeleteByID", func(ctx context.Context, r repo.Repository[Item]) error { return r.DeleteByID(ctx, "a") }},
		{"DeleteAllByID", func(ctx context.Context, r repo.Repository[Item]) error {
			_, err := r.DeleteAllByID(ctx, []any{"a", "b"})
			return err
		}},
	}
	if h.Features.Writer {
		list = append(list, writerCalls()...)
	}
	if h.Features.Update {
		list = append(list, call{"Update", func(ctx context.Context, r repo.Repository[Item]) error {
			u, ok := repo.As[repo.Updater[Item]](r)
			if !ok {
				return errors.New("no Updater")
			}
			_, err := u.Update(ctx, "a", func(e *Item) error { e.Name = "updated"; return nil })
			return err
		}})
	}
	return list
}

func writerCall(name string, do func(ctx context.Context, w repo.Writer[Item]) error) call {
	return call{name, func(ctx context.Context, r repo.Repository[Item]) error {
		w, ok := repo.As[repo.Writer[Item]](r)
		if !ok {
			return errors.New("no Writer")
		}
		return do(ctx, w)
	}}
}

func insertAbsent(ctx context.Context, w repo.Writer[Item], es ...*Item) error {
	_, err := w.InsertIfAbsent(ctx, es...)
	return err
}

func upsertBySKU(ctx context.Context, w repo.Writer[Item], es ...*Item) error {
	_, err := w.UpsertBy(ctx, es, skuOf())
	return err
}

func writerCalls() []call {
	return []call{
		writerCall("Insert", func(ctx context.Context, w repo.Writer[Item]) error { return w.Insert(ctx, item("new")) }),
		writerCall("InsertIfAbsent", func(ctx context.Context, w repo.Writer[Item]) error { return insertAbsent(ctx, w, item("new")) }),
		writerCall("UpsertBy", func(ctx context.Context, w repo.Writer[Item]) error {
			return upsertBySKU(ctx, w, itemsOf("a", "new")...)
		}),
		writerCall("UpdateWhere", func(ctx context.Context, w repo.Writer[Item]) error {
			_, err := w.UpdateWhere(ctx, skuOf().Ne(""), repo.F[Item, string]("Name").Set("updated"))
			return err
		}),
		writerCall("DeleteWhere", func(ctx context.Context, w repo.Writer[Item]) error {
			_, err := w.DeleteWhere(ctx, skuOf().Ne(""))
			return err
		}),
	}
}

// emptyCalls have nothing to do.
func emptyCalls(h Harness) []call {
	list := []call{
		{"SaveAll of none", func(ctx context.Context, r repo.Repository[Item]) error { return r.SaveAll(ctx, nil) }},
		{"Delete of none", func(ctx context.Context, r repo.Repository[Item]) error { return r.Delete(ctx) }},
		{"DeleteAllByID of none", func(ctx context.Context, r repo.Repository[Item]) error {
			_, err := r.DeleteAllByID(ctx, nil)
			return err
		}},
	}
	if h.Features.Writer {
		list = append(list,
			writerCall("Insert of none", func(ctx context.Context, w repo.Writer[Item]) error { return w.Insert(ctx) }),
			writerCall("InsertIfAbsent of none", func(ctx context.Context, w repo.Writer[Item]) error { return insertAbsent(ctx, w) }),
			writerCall("UpsertBy of none", func(ctx context.Context, w repo.Writer[Item]) error { return upsertBySKU(ctx, w) }))
	}
	return list
}

// endsWith wants every method to fail with want under ctx and to write nothing.
func endsWith(ctx context.Context, t *testing.T, h Harness, want error) {
	t.Helper()
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	for _, c := range append(calls(t, h), emptyCalls(h)...) {
		if err := c.do(ctx, r); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want one that matches %v", c.name, err, want)
		} else {
			wantErr(t, err, want)
		}
	}
	stored(t, r, itemsOf("a", "b")...)
}

func contextCancelledBefore(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	endsWith(ctx, t, h, context.Canceled)
}

func contextDeadlineBefore(t *testing.T, h Harness) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	endsWith(ctx, t, h, context.DeadlineExceeded)
}

func contextWithACause(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the lock was lost"))
	endsWith(ctx, t, h, context.Canceled)
}

// contextCancelledWhileDecoding ends the context after SmartSave began and
// before it could write.
func contextCancelledWhileDecoding(t *testing.T, h Harness) {
	for _, mode := range []repo.SmartSaveOption{repo.Replace(), repo.Merge()} {
		r := h.items(t)
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		_, err := r.SmartSave(ctx, docs(document(t, item("a"))), mode, repo.WithDecoder(func(doc []byte, into *Item) error {
			cancel()
			return json.Unmarshal(doc, into)
		}))
		wantErr(t, err, context.Canceled)
		stored(t, r)
	}
}

// contextCancelledDuringSaveAll ends the context at some moment of a long
// save: it is all there, or the error says so.
func contextCancelledDuringSaveAll(t *testing.T, h Harness) {
	r := h.items(t)
	list := numbered(h.large())
	ctx, cancel := context.WithCancel(t.Context())
	started, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		<-started
		cancel()
	}()
	close(started)
	err := r.SaveAll(ctx, list)
	<-finished
	n, cerr := r.Count(t.Context())
	noErr(t, cerr)
	if err == nil {
		if n != int64(len(list)) {
			t.Fatalf("no error, and %d of %d are stored", n, len(list))
		}
		return
	}
	wantErr(t, err, context.Canceled)
	if h.Features.AtomicSaveAll && n != 0 {
		t.Fatalf("cancelled, and %d of %d are stored", n, len(list))
	}
	saveItems(t, r, list...)
	count(t, r, int64(len(list)))
}
