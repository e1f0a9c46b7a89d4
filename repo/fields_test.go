package repo_test

import (
	"errors"
	"fmt"
	"log"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

type Address struct {
	City string `json:"town"`
}

type Base struct {
	Made time.Time `json:"made"`
}

type Parcel struct {
	Base
	ID      int64 `json:"id"`
	Weight  *uint8
	Fragile bool     `json:"fragile"`
	To      *Address `gorm:"serializer:json" json:"to"`
	Secret  string   `json:"-"`
	Tags    []string
}

func TestHandlesAreCheckedWhenTheyAreMade(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "weight", "Nope", "To.Nope", "Weight.X", "to.City", "Weight; DROP TABLE"} {
		if _, err := repo.NewField[Parcel, uint8](name); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := repo.NewField[Parcel, string]("Weight"); !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("another type: %v", err)
	}
	for _, name := range []string{"To.City", "Secret"} {
		if f, err := repo.NewField[Parcel, string](name); err != nil || f.Name() != name {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"Made", "Base.Made"} {
		if _, err := repo.NewField[Parcel, time.Time](name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("MustField panics with %v", err)
		}
	}()
	repo.MustField[Parcel, string]("Nope")
}

func parcels(t testing.TB) *repo.Fields[Parcel] {
	t.Helper()
	fs, err := repo.FieldsOf[Parcel]("Weight", "Fragile", "To.City", "Made", "ID")
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func TestFieldsAtRunTime(t *testing.T) {
	t.Parallel()
	fs := parcels(t)
	if got := strings.Join(fs.Names(), " "); got != "Weight fragile to.town made id" {
		t.Errorf("names are %q", got)
	}
	r, err := memrepo.New[Parcel](nil)
	if err != nil {
		t.Fatal(err)
	}
	light, heavy := uint8(3), uint8(200)
	at := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	err = r.SaveAll(t.Context(), []*Parcel{
		{ID: 1, Weight: &light, Base: Base{at}, To: &Address{"Turin"}},
		{ID: 2, Weight: &heavy, Base: Base{at.AddDate(1, 0, 0)}, Fragile: true},
		{ID: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, op string
		values   []string
		want     string
	}{
		{"Weight", "eq", []string{"3"}, "1"},
		{"Weight", "ne", []string{"3"}, "2"},
		{"Weight", "in", []string{"3", "200"}, "12"},
		{"Weight", "notIn", []string{"3"}, "2"},
		{"Weight", "between", []string{"4", "255"}, "2"},
		{"Weight", "null", nil, "3"},
		{"Weight", "notNull", nil, "12"},
		{"id", "gt", []string{"1"}, "23"},
		{"ID", "le", []string{"1"}, "1"},
		{"fragile", "eq", []string{"true"}, "2"},
		{"to.town", "prefix", []string{"Tu"}, "1"},
		{"To.City", "contains", []string{"ri"}, "1"},
		{"to.town", "suffix", []string{"rin"}, "1"},
		{"made", "lt", []string{"2024-03-01"}, "13"},
		{"made", "ge", []string{"2024-02-29T12:00:00Z"}, "12"},
	} {
		cond, err := fs.Where(c.name, c.op, c.values...)
		if err != nil {
			t.Errorf("%s %s: %v", c.name, c.op, err)
			continue
		}
		sort, err := fs.SortBy("id")
		if err != nil {
			t.Fatal(err)
		}
		found, err := r.Find(t.Context(), cond, sort)
		var got strings.Builder
		for _, p := range found {
			fmt.Fprint(&got, p.ID)
		}
		if err != nil || got.String() != c.want {
			t.Errorf("%s %s %v: got %s, want %s, %v", c.name, c.op, c.values, got.String(), c.want, err)
		}
	}
}

func TestFieldsRefuseWhatIsNotAllowed(t *testing.T) {
	t.Parallel()
	fs := parcels(t)
	for _, c := range [][]string{
		{"Secret", "eq", "x"},
		{"secret", "eq", "x"},
		{"", "eq", "x"},
		{"id", "=", "1"},
		{"id", "", "1"},
		{"id", "eq"},
		{"id", "eq", "1", "2"},
		{"id", "between", "1"},
		{"id", "in"},
		{"id", "notIn"},
		{"id", "null", "1"},
		{"id", "eq", "one"},
		{"id", "eq", "9223372036854775808"},
		{"Weight", "eq", "256"},
		{"Weight", "eq", "-1"},
		{"id", "prefix", "1"},
		{"fragile", "eq", "perhaps"},
		{"made", "eq", "yesterday"},
	} {
		_, err := fs.Where(c[0], c[1], c[2:]...)
		if !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%q: %v", c, err)
		}
	}
	if _, err := fs.Where("id", "in", make([]string, 1001)...); !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("a long list: %v", err)
	}
	for _, name := range []string{"", "-", "--id", "Secret", "-secret", "id desc"} {
		if _, err := fs.SortBy(name); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("sort by %q: %v", name, err)
		}
	}
	for _, names := range [][]string{nil, {"Nope"}, {"Tags"}, {"To"}, {"ID", "ID"}, {"Made", "Base.Made"}} {
		if _, err := repo.FieldsOf[Parcel](names...); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("fields %q: %v", names, err)
		}
	}
}

// Whatever a client sends becomes a condition that the type has, or ErrInvalid.
func FuzzFields(f *testing.F) {
	fs := parcels(f)
	for _, name := range append(fs.Names(), "Secret", "-id") {
		for _, op := range fs.Operators() {
			f.Add(name, op, "1", "2024-02-29T12:00:00Z", uint8(2))
		}
	}
	f.Fuzz(func(t *testing.T, name, op, one, two string, n uint8) {
		cond, err := fs.Where(name, op, []string{one, two}[:n%3]...)
		if err == nil {
			_, err = driver.Compile[Parcel](cond)
			if err != nil {
				t.Errorf("a condition that does not compile: %v", err)
			}
		} else if !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("refused with %v", err)
		}
		if sort, err := fs.SortBy(name); err == nil {
			if _, err := driver.Compile[Parcel](sort); err != nil {
				t.Errorf("a sort key that does not compile: %v", err)
			}
		} else if !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("refused with %v", err)
		}
	})
}

func ExampleFields() {
	listed, err := repo.FieldsOf[Order]("Buyer", "Total") // what clients may ask for
	if err != nil {
		log.Fatal(err)
	}
	cheap, err := listed.Where("total", "lt", "1000")
	if err != nil {
		log.Fatal(err)
	}
	_, err = driver.Compile[Order](cheap)
	fmt.Println(err)
	_, err = listed.Where("id", "eq", "7")
	fmt.Println(err)
	// Output:
	// <nil>
	// repo: where: repo: invalid: no field "id" to filter by
}
