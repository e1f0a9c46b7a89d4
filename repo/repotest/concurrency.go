package repotest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

// together runs fn in n goroutines that start at once and reports their errors.
func together(t *testing.T, n int, fn func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			if err := fn(i); err != nil {
				t.Errorf("goroutine %d: %v", i, err)
			}
		})
	}
	close(start)
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func concurrentSavesOfDifferentKeys(t *testing.T, h Harness) {
	r := h.items(t)
	const workers, each = 16, 10
	together(t, workers, func(i int) error {
		for j := range each {
			e := item(fmt.Sprintf("w%02d-%02d", i, j))
			if err := r.Save(t.Context(), e); err != nil {
				return err
			}
			if _, err := r.FindByID(t.Context(), e.ID); err != nil {
				return err
			}
		}
		return nil
	})
	var all []*Item
	for i := range workers {
		for j := range each {
			all = append(all, item(fmt.Sprintf("w%02d-%02d", i, j)))
		}
	}
	stored(t, r, all...)
}

func concurrentListsOfDifferentKeys(t *testing.T, h Harness) {
	r := h.items(t)
	const workers = 6
	each := min(50, h.large()/workers) // where long lists take long, all of them are one
	together(t, workers, func(i int) error {
		var list []*Item
		for j := range each {
			list = append(list, item(fmt.Sprintf("w%02d-%02d", i, j)))
		}
		return r.SaveAll(t.Context(), list)
	})
	count(t, r, int64(workers*each))
}

// concurrentSavesOfOneKey: one of them is stored, whole.
func concurrentSavesOfOneKey(t *testing.T, h Harness) {
	r := h.items(t)
	version := func(i int) *Item {
		e := item("a")
		e.Name, e.Stock, e.Tags = fmt.Sprint("by ", i), int64(i), []string{strconv.Itoa(i)}
		return e
	}
	together(t, 8, func(i int) error { return r.Save(t.Context(), version(i)) })
	count(t, r, 1)
	got := get(t, r, "a")
	same(t, got, version(int(got.Stock)))
}

func concurrentGeneratedKeys(t *testing.T, h Harness) {
	r := h.autos(t)
	const workers, each = 8, 10
	var mu sync.Mutex
	seen := map[int64]string{}
	together(t, workers, func(i int) error {
		for j := range each {
			e := &Auto{Name: fmt.Sprint(i, "-", j)}
			if err := r.Save(t.Context(), e); err != nil {
				return err
			}
			mu.Lock()
			seen[e.ID] = e.Name
			mu.Unlock()
		}
		return nil
	})
	if len(seen) != workers*each {
		t.Fatalf("%d different keys, want %d", len(seen), workers*each)
	}
	all, err := r.Find(t.Context())
	noErr(t, err)
	for _, e := range all {
		if seen[e.ID] != e.Name {
			t.Fatalf("under key %d is %q, saved was %q", e.ID, e.Name, seen[e.ID])
		}
	}
}

// concurrentStaleSaves: of many who read the same version one may save.
func concurrentStaleSaves(t *testing.T, h Harness) {
	r := h.marked(t)
	base := marked(t, r, "a")
	var won atomic.Int64
	together(t, 8, func(i int) error {
		e := *base
		e.Name = fmt.Sprint("by ", i)
		err := r.Save(t.Context(), &e)
		if err == nil {
			won.Add(1)
		} else if !errors.Is(err, repo.ErrStale) {
			return err
		}
		return nil
	})
	if won.Load() != 1 {
		t.Fatalf("%d saves of one version were accepted", won.Load())
	}
	if got := get(t, r, "a"); got.Rev != 2 {
		t.Fatalf("version is %d, want 2", got.Rev)
	}
}

// concurrentInserts: of many who insert the same key one may.
func concurrentInserts(t *testing.T, h Harness) {
	r := h.marked(t)
	var won atomic.Int64
	together(t, 8, func(i int) error {
		err := r.Save(t.Context(), &Marked{ID: "a", Name: fmt.Sprint("by ", i)})
		if err == nil {
			won.Add(1)
		} else if !errors.Is(err, repo.ErrDuplicateKey) {
			return err
		}
		return nil
	})
	if won.Load() != 1 {
		t.Fatalf("%d inserts of one key were accepted", won.Load())
	}
	count(t, r, 1)
}

func concurrentUniqueValues(t *testing.T, h Harness) {
	r := h.items(t)
	var won atomic.Int64
	together(t, 8, func(i int) error {
		e := item(fmt.Sprint("i", i))
		e.SKU = "one of a kind"
		err := r.Save(t.Context(), e)
		if err == nil {
			won.Add(1)
		} else if !errors.Is(err, repo.ErrDuplicateKey) {
			return err
		}
		return nil
	})
	if won.Load() != 1 {
		t.Fatalf("%d items have the unique value", won.Load())
	}
	count(t, r, 1)
}
