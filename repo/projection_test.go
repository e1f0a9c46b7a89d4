package repo_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// mixed has fields that projections name.
type mixed struct {
	ID   int64
	Name string
	At   *time.Time
	Deep *struct{ City string }
}

func refused[P any](t *testing.T, name string) {
	t.Helper()
	if _, err := repo.NewProjection[mixed, P](); !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("%s: got %v", name, err)
	}
}

func TestProjectionIsCheckedWhenItIsMade(t *testing.T) {
	t.Parallel()
	refused[int](t, "no struct")
	refused[struct{}](t, "no fields")
	refused[struct{ id int64 }](t, "no exported field")
	refused[struct{ Nope string }](t, "unknown field")
	refused[struct{ Name int64 }](t, "number for text")
	refused[struct {
		Sum int64 `holdfast:"sum Nope"`
	}](t, "sum of an unknown field")
	refused[struct {
		Sum string `holdfast:"sum ID"`
	}](t, "sum in a text")
	refused[struct {
		N string `holdfast:"count"`
	}](t, "count in a text")
	refused[struct {
		N int `holdfast:"avg ID"`
	}](t, "unknown function")
	refused[struct {
		ID int64 `holdfast:"sum"`
	}](t, "sum of nothing")
	type good struct {
		Number int64  `holdfast:"ID"`
		City   string `holdfast:"Deep.City"`
		At     time.Time
		Skip   chan int `holdfast:"-"`
	}
	if _, err := repo.NewProjection[mixed, good](); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("MustProjection does not panic")
		}
	}()
	repo.MustProjection[mixed, struct{ Nope string }]()
}

func TestProjectionOfNil(t *testing.T) {
	t.Parallel()
	r, err := memrepo.New[mixed](&memrepo.Options{Documents: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.SaveAll(t.Context(), []*mixed{{Name: "a"}, {Name: "b", Deep: &struct{ City string }{"c"}}}); err != nil {
		t.Fatal(err)
	}
	type row struct {
		City string `holdfast:"Deep.City"`
		At   time.Time
	}
	got, err := repo.Project(t.Context(), r, repo.MustProjection[mixed, row](), repo.F[mixed, int64]("ID").Asc())
	if err != nil || !reflect.DeepEqual(got, []row{{}, {City: "c"}}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A repository that finds and no more has pages, windows and projections all the same.
func TestReadsOfARepositoryThatOnlyFinds(t *testing.T) {
	t.Parallel()
	inner, err := memrepo.New[Order](nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := inner.SaveAll(t.Context(), []*Order{{Buyer: "a"}, {Buyer: "b"}, {Buyer: "c"}}); err != nil {
		t.Fatal(err)
	}
	r := only[Order]{inner}
	p, err := repo.FindPage(t.Context(), r, repo.PageRequest{Size: 2})
	if err != nil || len(p.Items) != 2 || !p.HasNext {
		t.Errorf("page: %+v, %v", p, err)
	}
	w, err := repo.FindWindow(t.Context(), r, signer(t), repo.WindowRequest{Size: 2})
	if err == nil {
		w, err = repo.FindWindow(t.Context(), r, signer(t), repo.WindowRequest{Size: 2, After: w.Next})
	}
	if err != nil || len(w.Items) != 1 || w.Items[0].Buyer != "c" {
		t.Errorf("window: %+v, %v", w, err)
	}
	if list, err := repo.Project(t.Context(), r, receipts); err != nil || len(list) != 3 {
		t.Errorf("projection: %v, %v", list, err)
	}
	_, groups := repo.Project(t.Context(), r, sales)
	_, sum := repo.Sum(t.Context(), r, total)
	var stream error
	for _, err := range repo.Stream(t.Context(), r) {
		stream = err
	}
	for name, err := range map[string]error{"groups": groups, "sum": sum, "stream": stream} {
		if !errors.Is(err, repo.ErrUnsupported) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
