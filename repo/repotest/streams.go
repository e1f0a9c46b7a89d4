package repotest

import (
	"context"
	"errors"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

func streamIsWhatFindFinds(t *testing.T, h Harness) {
	need(t, h.Features.Reader, "Reader")
	r := shop(t, h)
	for _, q := range [][]repo.Option{
		{repo.F[Item, string]("ID").Asc()},
		{repo.F[Item, float64]("Price").Desc(), repo.Limit(3), repo.Offset(1)},
		{repo.F[Item, int64]("Stock").Eq(1), repo.F[Item, string]("ID").Desc()},
		{repo.F[Item, int64]("Stock").Eq(99)},
	} {
		want, err := r.Find(t.Context(), q...)
		noErr(t, err)
		n := 0
		for e, err := range repo.Stream(t.Context(), r, q...) {
			noErr(t, err)
			if n == len(want) {
				t.Fatalf("more than %v: %s", idsOf(want), e.ID)
			}
			same(t, e, want[n])
			n++
		}
		if n != len(want) {
			t.Fatalf("%d of %v", n, idsOf(want))
		}
	}
}

func streamCrossesBatches(t *testing.T, h Harness) {
	need(t, h.Features.Reader, "Reader")
	r := h.items(t)
	saveItems(t, r, numbered(h.large())...)
	seen := map[string]bool{}
	for e, err := range repo.Stream(t.Context(), r) {
		noErr(t, err)
		seen[e.ID] = true
	}
	if len(seen) != h.large() {
		t.Fatalf("%d of %d", len(seen), h.large())
	}
}

// streamEndsEarly: a loop that is left early gives back what it holds, else the next ones
// would have nothing left.
func streamEndsEarly(t *testing.T, h Harness) {
	need(t, h.Features.Reader, "Reader")
	r := h.items(t)
	saveItems(t, r, numbered(h.large())...)
	for range 40 {
		for _, err := range repo.Stream(t.Context(), r) {
			noErr(t, err)
			break
		}
		func() {
			defer func() { _ = recover() }()
			for _, err := range repo.Stream(t.Context(), r) {
				noErr(t, err)
				panic("in the loop")
			}
		}()
	}
	count(t, r, int64(h.large()))
}

func streamEndsWithTheContext(t *testing.T, h Harness) {
	need(t, h.Features.Reader, "Reader")
	for _, size := range []int{10, h.large()} { // few are here already when the context ends
		streamEnds(t, h, size)
	}
}

func streamEnds(t *testing.T, h Harness, size int) {
	t.Helper()
	r := h.items(t)
	saveItems(t, r, numbered(size)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var failed error
	for e, err := range repo.Stream(ctx, r) {
		if err != nil {
			if failed != nil || e != nil {
				t.Fatalf("%v after %v, with %v", err, failed, e)
			}
			failed = err
			continue
		}
		if n++; n == 3 {
			cancel()
		}
	}
	wantErr(t, failed, context.Canceled)
	if n >= size {
		t.Errorf("the stream went on to its end")
	}
	for _, err := range repo.Stream(ctx, r) {
		wantErr(t, err, context.Canceled)
	}
	count(t, r, int64(size))
}

func streamRefusesWhatIsWrong(t *testing.T, h Harness) {
	need(t, h.Features.Reader, "Reader")
	r := shop(t, h)
	for name, q := range map[string]repo.Option{
		"unknown field": repo.F[Item, string]("Nope").Eq("x"),
		"bad limit":     repo.Limit(0),
		"nil":           nil,
	} {
		n := 0
		for e, err := range repo.Stream(t.Context(), r, q) {
			n++
			if e != nil || !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%s: %v, %v", name, e, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d turns of the loop", name, n)
		}
	}
}

// streamInTx: the loop sees what the transaction wrote, and may write in it.
func streamInTx(t *testing.T, h Harness) {
	need(t, h.Features.Reader, "Reader")
	need(t, h.Features.Transactions, "Transactions")
	r := shop(t, h)
	tx, ok := repo.As[repo.Transactor](r)
	if !ok {
		t.Fatal("no repo.Transactor")
	}
	noErr(t, tx.InTx(t.Context(), func(ctx context.Context) error {
		if err := r.Save(ctx, item("new")); err != nil {
			return err
		}
		for e, err := range repo.Stream(ctx, r) {
			if err != nil {
				return err
			}
			e.Stock = 1000
			if err := r.Save(ctx, e); err != nil {
				return err
			}
		}
		n, err := repo.Sum(ctx, r, repo.F[Item, int64]("Stock"))
		if err == nil && n != 7000 {
			t.Errorf("the sum in the transaction is %d", n)
		}
		return err
	}))
	found(t, r, []string{"a", "b", "c", "d", "e", "f", "new"}, repo.F[Item, int64]("Stock").Eq(1000))
}
