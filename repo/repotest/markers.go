package repotest

import (
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

func marked(t *testing.T, r repo.Repository[Marked], id string) *Marked {
	t.Helper()
	e := &Marked{ID: id, Name: "name of " + id}
	noErr(t, r.Save(t.Context(), e))
	return e
}

// recent wants a time that was taken during the test.
func recent(t *testing.T, what string, at time.Time) {
	t.Helper()
	if d := time.Since(at); d < -time.Minute || d > time.Hour {
		t.Fatalf("%s is %v, want the time of the save", what, at)
	}
}

func longAgo() time.Time { return time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) }

func versionCountsUp(t *testing.T, h Harness) {
	r := h.marked(t)
	e := &Marked{ID: "a"}
	for want := int64(1); want <= 3; want++ {
		noErr(t, r.Save(t.Context(), e))
		if e.Rev != want {
			t.Fatalf("version %d was written back, want %d", e.Rev, want)
		}
		if got := get(t, r, "a"); got.Rev != want {
			t.Fatalf("version %d is stored, want %d", got.Rev, want)
		}
	}
}

func versionStaleIsRefused(t *testing.T, h Harness) {
	r := h.marked(t)
	mine := marked(t, r, "a")
	theirs := *mine
	theirs.Name = "theirs"
	noErr(t, r.Save(t.Context(), &theirs))
	mine.Name = "mine"
	for range 2 {
		wantErr(t, r.Save(t.Context(), mine), repo.ErrStale)
		if mine.Rev != 1 {
			t.Fatalf("the stale entity's version became %d", mine.Rev)
		}
	}
	ahead := theirs
	ahead.Rev = 99
	wantErr(t, r.Save(t.Context(), &ahead), repo.ErrStale)
	if got := get(t, r, "a"); got.Name != "theirs" || got.Rev != 2 {
		t.Fatalf("got %s", shown(got))
	}
}

func versionZeroInsertsOnly(t *testing.T, h Harness) {
	r := h.marked(t)
	marked(t, r, "a")
	wantErr(t, r.Save(t.Context(), &Marked{ID: "a", Name: "again"}), repo.ErrDuplicateKey)
	if got := get(t, r, "a"); got.Name != "name of a" || got.Rev != 1 {
		t.Fatalf("got %s", shown(got))
	}
}

func versionOfAbsentIsStale(t *testing.T, h Harness) {
	r := h.marked(t)
	wantErr(t, r.Save(t.Context(), &Marked{ID: "a", Rev: 3}), repo.ErrStale)
	count(t, r, 0)
}

func versionStaleInAList(t *testing.T, h Harness) {
	r := h.marked(t)
	a, b, c := marked(t, r, "a"), marked(t, r, "b"), marked(t, r, "c")
	moved := *b
	noErr(t, r.Save(t.Context(), &moved))
	a.Name, b.Name, c.Name = "new", "new", "new"
	wantBatch(t, r.SaveAll(t.Context(), []*Marked{a, b, c, {ID: "d"}}), repo.ErrStale, 1)
	if got := get(t, r, "b"); got.Name != "name of b" || got.Rev != 2 {
		t.Fatalf("the stale one was written: %s", shown(got))
	}
	want := "new"
	if h.Features.AtomicSaveAll {
		want = "name of a"
		count(t, r, 3)
	}
	if got := get(t, r, "a"); got.Name != want {
		t.Fatalf("got %s, want name %q", shown(got), want)
	}
}

func versionsInAList(t *testing.T, h Harness) {
	r := h.marked(t)
	list := []*Marked{marked(t, r, "a"), {ID: "b"}, marked(t, r, "c"), {ID: "d"}}
	for round := range int64(2) {
		noErr(t, r.SaveAll(t.Context(), list))
		for i, want := range []int64{2, 1, 2, 1} {
			want += round
			if got := get(t, r, list[i].ID); list[i].Rev != want || got.Rev != want {
				t.Fatalf("element %d has version %d, stored is %d, want %d", i, list[i].Rev, got.Rev, want)
			}
		}
	}
}

func versionIsCheckedByDelete(t *testing.T, h Harness) {
	r := h.marked(t)
	mine, other := marked(t, r, "a"), marked(t, r, "b")
	theirs := *mine
	noErr(t, r.Save(t.Context(), &theirs))
	wantErr(t, r.Delete(t.Context(), mine), repo.ErrStale)
	count(t, r, 2)
	noErr(t, r.Delete(t.Context(), &theirs, other, &Marked{ID: "absent", Rev: 4}))
	count(t, r, 0)
}

func timesAreSet(t *testing.T, h Harness) {
	r := h.marked(t)
	e := marked(t, r, "a")
	got := get(t, r, "a")
	recent(t, "created", got.Made)
	recent(t, "updated", got.Seen)
	same(t, e, got)
	if got.Gone != nil {
		t.Fatal("a new entity is marked as deleted")
	}
}

func createdIsSetOnce(t *testing.T, h Harness) {
	r := h.marked(t)
	e := marked(t, r, "a")
	made := get(t, r, "a").Made
	for _, at := range []time.Time{longAgo(), {}} {
		e.Made = at
		noErr(t, r.Save(t.Context(), e))
		noErr(t, r.SaveAll(t.Context(), []*Marked{e}))
		if got := get(t, r, "a"); !got.Made.Equal(made) {
			t.Fatalf("created became %v, was %v", got.Made, made)
		}
	}
}

func updatedIsSetByEverySave(t *testing.T, h Harness) {
	r := h.marked(t)
	e := marked(t, r, "a")
	for _, save := range []func() error{
		func() error { return r.Save(t.Context(), e) },
		func() error { return r.SaveAll(t.Context(), []*Marked{e}) },
	} {
		e.Seen = longAgo()
		noErr(t, save())
		recent(t, "updated", e.Seen)
		recent(t, "updated", get(t, r, "a").Seen)
	}
}

func timesAsNumbers(t *testing.T, h Harness) {
	r := from(t, "Stamped", h.Stamped)
	e := &Stamped{ID: "a"}
	noErr(t, r.Save(t.Context(), e))
	first := get(t, r, "a")
	recent(t, "created", time.UnixMilli(first.Born))
	recent(t, "updated", time.UnixMilli(first.Last))
	recent(t, "created", first.First)
	recent(t, "updated", *first.Then)
	e.Born, e.Last, e.Name = 5, 5, "changed"
	e.First, e.Then = time.Time{}, nil
	noErr(t, r.Save(t.Context(), e))
	got := get(t, r, "a")
	if got.Born != first.Born || !got.First.Equal(first.First) || got.Name != "changed" {
		t.Fatalf("got %s, first was %s", shown(got), shown(first))
	}
	recent(t, "updated", time.UnixMilli(got.Last))
	recent(t, "updated", *got.Then)
}

func namesAreNoMarks(t *testing.T, h Harness) {
	r := from(t, "Unmarked", h.Unmarked)
	at := longAgo()
	for _, e := range []*Unmarked{
		{ID: "a"},
		{ID: "a", Version: 7, CreatedAt: &at, UpdatedAt: &at, DeletedAt: &at},
		{ID: "a", Version: 3},
		{ID: "b", CreatedAt: &at, UpdatedAt: &at},
	} {
		want := *e
		noErr(t, r.Save(t.Context(), e))
		same(t, get(t, r, e.ID), &want)
		noErr(t, r.SaveAll(t.Context(), []*Unmarked{e}))
		same(t, get(t, r, e.ID), &want)
	}
	noErr(t, r.DeleteByID(t.Context(), "a"))
	nobody(t, r, "a")
	// It is gone, not marked: its key can be used again.
	noErr(t, r.Save(t.Context(), &Unmarked{ID: "a"}))
	count(t, r, 2)
}
