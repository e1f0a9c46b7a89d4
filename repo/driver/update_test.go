package driver_test

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

type meter struct {
	ID    int64 `gorm:"primaryKey"`
	Rev   int64 `holdfast:"version"`
	Small int8
	Byte  uint8
	Wide  int64
	Big   uint64
	Short float32
	Maybe *int16
	Code  string
	At    time.Time
}

func compiled(t *testing.T, set repo.Assignment) driver.Update {
	t.Helper()
	u, err := driver.CompileUpdate(reflect.TypeFor[meter](), repo.F[meter, string]("Code").Eq("x"), []repo.Assignment{set})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// An addition ends where the type of the field does, also where its number does not fit it.
func TestCompileUpdate_Additions(t *testing.T) {
	t.Parallel()
	small, wide := repo.F[meter, int64]("Small"), repo.F[meter, int64]("Wide")
	inBytes, big := repo.F[meter, int64]("Byte"), repo.F[meter, int64]("Big")
	for name, c := range map[string]struct {
		set  repo.Assignment
		e    meter
		want meter
		ok   bool
	}{
		"up to the end":      {repo.Increase(small, 7), meter{Small: 120}, meter{Small: 127}, true},
		"past it":            {repo.Increase(small, 8), meter{Small: 120}, meter{Small: 120}, false},
		"down to the end":    {repo.Decrease(small, 8), meter{Small: -120}, meter{Small: -128}, true},
		"below it":           {repo.Increase(small, -9), meter{Small: -120}, meter{Small: -120}, false},
		"far below":          {repo.Increase(small, math.MinInt64), meter{Small: 127}, meter{Small: 127}, false},
		"far above":          {repo.Increase(small, math.MaxInt64), meter{Small: -128}, meter{Small: -128}, false},
		"a byte up":          {repo.Increase(inBytes, 5), meter{Byte: 250}, meter{Byte: 255}, true},
		"a byte below zero":  {repo.Decrease(inBytes, 251), meter{Byte: 250}, meter{Byte: 250}, false},
		"a byte far below":   {repo.Increase(inBytes, math.MinInt64), meter{Byte: 250}, meter{Byte: 250}, false},
		"wide up":            {repo.Increase(wide, 1), meter{Wide: math.MaxInt64 - 1}, meter{Wide: math.MaxInt64}, true},
		"wide past":          {repo.Increase(wide, 2), meter{Wide: math.MaxInt64 - 1}, meter{Wide: math.MaxInt64 - 1}, false},
		"wide by the lowest": {repo.Increase(wide, math.MinInt64), meter{Wide: 1}, meter{Wide: math.MinInt64 + 1}, true},
		"63 bits":            {repo.Increase(big, 1), meter{Big: math.MaxInt64}, meter{Big: math.MaxInt64}, false},
		"a short float":      {repo.Increase(repo.F[meter, float64]("Short"), math.MaxFloat32), meter{Short: math.MaxFloat32}, meter{Short: math.MaxFloat32}, false},
		"nothing to add to":  {repo.Increase(repo.F[meter, int16]("Maybe"), 1), meter{}, meter{}, true},
	} {
		u := compiled(t, c.set)
		e := c.e
		err := u.Changes[0].Apply(reflect.ValueOf(&e).Elem())
		if (err == nil) != c.ok || err != nil && !errors.Is(err, repo.ErrInvalid) || e != c.want {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

// A change leaves the memory of what a pointer pointed to alone.
func TestCompileUpdate_SharesNoMemory(t *testing.T) {
	t.Parallel()
	e := meter{Maybe: new(int16(3))}
	kept := e
	u := compiled(t, repo.Increase(repo.F[meter, int16]("Maybe"), 1))
	if err := u.Changes[0].Apply(reflect.ValueOf(&e).Elem()); err != nil || *e.Maybe != 4 || *kept.Maybe != 3 {
		t.Errorf("%v, %d, %d", err, *e.Maybe, *kept.Maybe)
	}
	if len(u.Where) != 2 || u.Where[1].Op != driver.OpNotNull || u.Where[1].Field != "Maybe" {
		t.Errorf("the conditions are %+v", u.Where)
	}
}

func TestCompileUpdate_RefusesDuties(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ID", "Rev"} {
		_, err := driver.CompileUpdate(reflect.TypeFor[meter](), repo.F[meter, string]("Code").Eq("x"),
			[]repo.Assignment{repo.F[meter, int64](name).Set(1)})
		if !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckNatural(t *testing.T) {
	t.Parallel()
	code, at := repo.F[meter, string]("Code"), repo.F[meter, time.Time]("At")
	noon := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	there := noon.In(time.FixedZone("east", 3600))
	if _, err := driver.CheckNatural([]*meter{{At: noon}, {At: noon.Add(time.Microsecond)}, {Code: "x", At: noon}}, []repo.Handle{code, at}); err != nil {
		t.Error(err)
	}
	_, err := driver.CheckNatural([]*meter{{At: noon}, {At: there}, {At: there, Code: "x"}}, []repo.Handle{code, at})
	if batch, ok := errors.AsType[*repo.BatchError](err); !ok || len(batch.Items) != 1 || batch.Items[0].Index != 1 {
		t.Errorf("one time in two zones: %v", err)
	}
}
