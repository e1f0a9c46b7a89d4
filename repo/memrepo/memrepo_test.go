package memrepo_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, err := memrepo.New[int](nil)
	wantErr(t, err, repo.ErrInvalid)
	_, err = memrepo.New[struct{ Name string }](nil)
	wantErr(t, err, repo.ErrInvalid)
}

type clock struct{ at time.Time }

func (c *clock) now() time.Time {
	c.at = c.at.Add(time.Hour)
	return c.at
}

func TestGormModelIsKept(t *testing.T) {
	t.Parallel()
	c := &clock{time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
	ctx, r := t.Context(), open[gorm.Model](t, &memrepo.Options{Now: c.now})
	m := &gorm.Model{}
	must(t, r.Save(ctx, m))
	made := m.CreatedAt
	if made.IsZero() || !m.UpdatedAt.Equal(made) {
		t.Fatalf("got %+v", m)
	}
	must(t, r.Save(ctx, m))
	if !m.CreatedAt.Equal(made) || !m.UpdatedAt.Equal(made.Add(time.Hour)) {
		t.Fatalf("got %+v", m)
	}
	must(t, r.Delete(ctx, m))
	_, err := r.FindByID(ctx, m.ID)
	wantErr(t, err, repo.ErrNotFound)
}

type note struct {
	ID   string
	Text string
	Rev  int        `holdfast:"version"`
	Made time.Time  `holdfast:"created"`
	Gone *time.Time `holdfast:"deleted"`
}

func TestRevive(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), open[note](t, &memrepo.Options{Revive: true})
	e := &note{ID: "a", Text: "one"}
	must(t, r.Save(ctx, e))
	made := e.Made
	must(t, r.Delete(ctx, e))

	wantErr(t, r.Save(ctx, &note{ID: "a", Rev: 7}), repo.ErrStale)
	e.Text = "two"
	must(t, r.Save(ctx, e))
	must(t, r.Delete(ctx, e))
	fresh := &note{ID: "a", Text: "three"}
	must(t, r.Save(ctx, fresh))
	// The version goes on, so that who read an earlier life is stale.
	if fresh.Rev != 3 || !fresh.Made.Equal(made) || fresh.Gone != nil {
		t.Fatalf("got %+v", fresh)
	}
	must(t, r.Delete(ctx, fresh))
	out, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id":"a"}`}}, repo.Merge())
	must(t, err)
	if out[0].Text != "three" || out[0].Rev != 4 || out[0].Gone != nil {
		t.Fatalf("got %+v", out[0])
	}
	wantErr(t, r.Save(ctx, &note{ID: "a"}), repo.ErrDuplicateKey)
}

func TestInsertClearsTheDeletionMark(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), open[note](t, nil)
	at := time.Now()
	e := &note{ID: "a", Gone: &at}
	must(t, r.Save(ctx, e))
	if got, err := r.FindByID(ctx, "a"); err != nil || got.Gone != nil || e.Gone != nil {
		t.Fatalf("got %+v, %v", got, err)
	}
}

// TestUpdateStartsOver lets another writer in between reading and writing.
func TestUpdateStartsOver(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), open[Product](t, nil)
	must(t, r.Save(ctx, &Product{SKU: "bolt", Stock: 10}))
	runs := 0
	got, err := r.Update(ctx, 1, func(p *Product) error {
		if runs++; runs == 1 {
			must(t, r.Save(ctx, &Product{ID: 1, SKU: "bolt", Stock: 100}))
		}
		p.Stock--
		return nil
	})
	must(t, err)
	if runs != 2 || got.Stock != 99 {
		t.Fatalf("after %d runs the stock is %d, want 99 after 2", runs, got.Stock)
	}
	runs = 0
	_, err = r.Update(ctx, 1, func(*Product) error {
		runs++
		return r.DeleteByID(ctx, 1)
	})
	if wantErr(t, err, repo.ErrNotFound); runs != 1 {
		t.Fatalf("the function ran %d times", runs)
	}
}

func TestUpdateIgnoresChangedDuties(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), open[note](t, nil)
	e := &note{ID: "a"}
	must(t, r.Save(ctx, e))
	at := time.Now()
	got, err := r.Update(ctx, "a", func(n *note) error {
		n.Rev, n.Made, n.Gone = 77, time.Time{}, &at
		return nil
	})
	must(t, err)
	if got.Rev != 2 || !got.Made.Equal(e.Made) || got.Gone != nil {
		t.Fatalf("got %+v", got)
	}
}

// TestDocumentsCanBeSavedAgain: a wrapper that retries gives the same list.
func TestDocumentsCanBeSavedAgain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	docs, err := driver.Decode[Product](repo.SmartSaveDTO{EntityList: []string{`{"sku":"a"}`, `{"sku":"b"}`}})
	must(t, err)
	for range 2 {
		r := open[Product](t, nil)
		out, err := r.SaveDocuments(ctx, docs)
		must(t, err)
		if len(out) != 2 || out[0].ID != 1 || out[1].ID != 2 || docs.Entities[0].ID != 0 {
			t.Fatalf("got %+v, documents %+v", out, docs.Entities[0])
		}
	}
	_, err = open[Product](t, nil).SaveDocuments(ctx, nil)
	wantErr(t, err, repo.ErrEmptySave)
}

// TestMergeErrorNamesItsDocument: what fails only on the stored entity is
// reported as what fails at once is, and nothing is written.
func TestMergeErrorNamesItsDocument(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), open[Product](t, nil)
	must(t, r.SaveAll(ctx, []*Product{{SKU: "a", Stock: 1}, {SKU: "b", Stock: 2}}))
	decode := repo.WithDecoder(func(doc []byte, into *Product) error {
		if into.Stock == 2 {
			return errors.New("this one is closed")
		}
		return json.Unmarshal(doc, into)
	})
	_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id":1,"stock":9}`, `{"id":2,"stock":9}`}}, repo.Merge(), decode)
	var batch *repo.BatchError
	if !errors.As(err, &batch) || len(batch.Items) != 1 || batch.Items[0].Index != 1 {
		t.Fatalf("got %v", err)
	}
	if got, err := r.FindByID(ctx, 1); err != nil || got.Stock != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestContextCause(t *testing.T) {
	t.Parallel()
	lost := errors.New("the lock was lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(lost)
	err := open[small](t, nil).Save(ctx, &small{})
	wantErr(t, err, lost)
	wantErr(t, err, context.Canceled)
}
