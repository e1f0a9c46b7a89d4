package memrepo_test

import (
	"errors"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

type setting struct {
	ID    int     `gorm:"primaryKey"`
	Kind  string  `gorm:"default:'abc'"`
	Rate  float32 `gorm:"default:1.5"`
	Count uint8   `gorm:"default:0x10"`
	None  *int    `gorm:"default:null"`
	Made  string  `gorm:"default:gen_random_uuid()"`
}

func TestLiteralDefaults(t *testing.T) {
	t.Parallel()
	for _, documents := range []bool{false, true} {
		r, err := memrepo.New[setting](&memrepo.Options{Documents: documents})
		if err != nil {
			t.Fatal(err)
		}
		e := &setting{}
		if err := r.Save(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		want := setting{ID: 1, Kind: "abc", Rate: 1.5, Count: 16}
		if documents {
			want = setting{ID: 1}
		}
		if got, err := r.FindByID(t.Context(), 1); err != nil || *got != want || *e != want {
			t.Errorf("documents %t: stored %+v, returned %+v, %v", documents, got, e, err)
		}
	}
}

func TestDefaultOfAnotherType(t *testing.T) {
	t.Parallel()
	type wrong struct {
		ID  int
		Age int `gorm:"default:many"`
	}
	if _, err := memrepo.New[wrong](nil); !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// Updates of several callers are made in one step, and one that fails fails alone.
func TestUpdateGroup(t *testing.T) {
	t.Parallel()
	r, err := memrepo.New[setting](nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.SaveAll(t.Context(), []*setting{{ID: 1}, {ID: 2}, {ID: 3}}); err != nil {
		t.Fatal(err)
	}
	refused, tries := errors.New("refused"), 0
	call := func(id any, change func(*setting) error) *driver.UpdateCall[setting] {
		return &driver.UpdateCall[setting]{Context: t.Context(), ID: id, Change: change}
	}
	calls := []*driver.UpdateCall[setting]{
		call(1, func(e *setting) error {
			if tries++; tries == 1 { // another writer comes in between
				if err := r.Save(t.Context(), &setting{ID: 1, Made: "between"}); err != nil {
					return err
				}
			}
			e.Kind = "one"
			return nil
		}),
		call(2, func(*setting) error { return refused }),
		call(9, func(*setting) error { return nil }),
		call(3, func(e *setting) error { e.ID = 4; return nil }),
	}
	if n := r.UpdateGroupSize(append(calls, call(1, nil))); n != len(calls) {
		t.Errorf("a group of %d, want %d", n, len(calls))
	}
	if err := r.UpdateGroup(t.Context(), calls); err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{nil, refused, repo.ErrNotFound, repo.ErrInvalid} {
		if !errors.Is(calls[i].Err, want) {
			t.Errorf("call %d: %v, want %v", i, calls[i].Err, want)
		}
	}
	if e, err := r.FindByID(t.Context(), 1); err != nil || e.Kind != "one" || e.Made != "between" || tries != 2 || calls[0].Entity.Made != "between" {
		t.Errorf("stored %+v after %d tries, %v", e, tries, err)
	}
}

// A query with a limit returns what one without begins with.
func TestLimitKeepsTheFirst(t *testing.T) {
	t.Parallel()
	r, err := memrepo.New[setting](nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if err := r.Save(t.Context(), &setting{Count: uint8(i*37%11 + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, order := range [][]repo.Option{nil, {repo.F[setting, uint8]("Count").Desc()}, {repo.F[setting, uint8]("Count").Asc()}} {
		all, err := r.Find(t.Context(), order...)
		if err != nil {
			t.Fatal(err)
		}
		for limit := 1; limit < 60; limit += 7 {
			for offset := 0; offset < 60; offset += 9 {
				got, err := r.Find(t.Context(), append(order, repo.Limit(limit), repo.Offset(offset))...)
				if err != nil {
					t.Fatal(err)
				}
				want := all[min(offset, len(all)):min(offset+limit, len(all))]
				if len(got) != len(want) {
					t.Fatalf("%d of limit %d offset %d, want %d", len(got), limit, offset, len(want))
				}
				for i := range got {
					if got[i].ID != want[i].ID {
						t.Fatalf("limit %d offset %d: element %d is %d, want %d", limit, offset, i, got[i].ID, want[i].ID)
					}
				}
			}
		}
	}
}
