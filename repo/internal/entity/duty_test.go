package entity_test

import (
	"reflect"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

type Duties struct {
	Rev  uint32     `holdfast:"version"`
	Gone *time.Time `holdfast:"deleted"`
	Made int64      `gorm:"autoCreateTime:milli"`
	Seen *time.Time `gorm:"autoUpdateTime"`
}

type dutiful struct {
	ID int
	*Duties
}

func TestDutiesAreReadAndWritten(t *testing.T) {
	t.Parallel()
	e, err := entity.Parse(reflect.TypeFor[dutiful]())
	if err != nil {
		t.Fatal(err)
	}
	var d dutiful
	v := reflect.ValueOf(&d).Elem()
	if e.VersionOf(v) != 0 || e.IsDeleted(v) || !e.Created[0].IsZero(v) {
		t.Fatal("behind a nil embedded pointer everything is zero")
	}
	at := time.UnixMilli(1_700_000_000_123)
	e.SetVersion(v, 7)
	e.SetDeleted(v, &at)
	e.Created[0].SetTime(v, at)
	e.Updated[0].SetTime(v, at)
	if d.Rev != 7 || !d.Gone.Equal(at) || d.Made != 1_700_000_000_123 || !d.Seen.Equal(at) || !e.IsDeleted(v) {
		t.Fatalf("got %+v", d.Duties)
	}
	e.SetDeleted(v, nil)
	if e.IsDeleted(v) {
		t.Fatal("the mark is still there")
	}
}

func TestDutiesOfGormModel(t *testing.T) {
	t.Parallel()
	e, err := entity.Parse(reflect.TypeFor[gorm.Model]())
	if err != nil {
		t.Fatal(err)
	}
	var m gorm.Model
	v, at := reflect.ValueOf(&m).Elem(), time.Unix(5, 0)
	e.SetDeleted(v, &at)
	if !m.DeletedAt.Valid || !m.DeletedAt.Time.Equal(at) || !e.IsDeleted(v) {
		t.Fatalf("got %+v", m)
	}
}

type told struct {
	ID  int
	new bool
}

func (t *told) IsNew() bool { return t.new }

func TestIsNewFirstRuleDecides(t *testing.T) {
	t.Parallel()
	type versioned struct {
		ID  int
		Rev int `holdfast:"version"`
	}
	type plain struct{ ID int }
	for name, c := range map[string]struct {
		e    any
		want bool
	}{
		"MethodSaysNew":      {&told{ID: 1, new: true}, true},
		"MethodSaysNotNew":   {&told{}, false},
		"VersionZero":        {&versioned{ID: 1}, true},
		"VersionSet":         {&versioned{Rev: 1}, false},
		"GeneratedKeyZero":   {&plain{}, true},
		"GeneratedKeyGiven":  {&plain{1}, false},
		"AssignedKeyIsNever": {&struct{ ID string }{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := reflect.ValueOf(c.e)
			e, err := entity.Parse(p.Type().Elem())
			if err != nil {
				t.Fatal(err)
			}
			if got := e.IsNew(p, e.Numbered() != nil && e.Numbered().IsZero(p.Elem())); got != c.want {
				t.Fatalf("got %v", got)
			}
		})
	}
}
