package entity_test

import (
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

type base struct {
	Code string `gorm:"primaryKey"`
}

type sku string

// token is a key of bytes that reads text, as a UUID does.
type token [2]byte

func (k *token) UnmarshalText(text []byte) error {
	if len(text) != 4 {
		return errors.New("want four digits")
	}
	_, err := hex.Decode(k[:], text)
	return err
}

func TestParseFindsTheKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		t    reflect.Type
		want []string
	}{
		"GormTagFirst": {reflect.TypeFor[struct {
			ID   int
			B    string `bson:"_id"`
			Real int    `gorm:"column:x;primaryKey"`
		}](), []string{"Real"}},
		"ThenBSON": {reflect.TypeFor[struct {
			ID int
			B  string `bson:"_id,omitempty"`
		}](), []string{"B"}},
		"ThenID":    {reflect.TypeFor[struct{ ID int }](), []string{"ID"}},
		"Embedded":  {reflect.TypeFor[struct{ base }](), []string{"Code"}},
		"GormModel": {reflect.TypeFor[struct{ gorm.Model }](), []string{"ID"}},
		"Composite": {reflect.TypeFor[struct {
			A int `gorm:"primaryKey"`
			B int `gorm:"primary_key"`
		}](), []string{"A", "B"}},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := entity.Parse(c.t)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range e.Key {
				got = append(got, f.Name)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, typ := range map[string]reflect.Type{
		"NoStruct": reflect.TypeFor[int](),
		"NoKey":    reflect.TypeFor[struct{ Name string }](),
		"UnknownMarker": reflect.TypeFor[struct {
			ID, X int `holdfast:"versoin"`
		}](),
		"WrongType": reflect.TypeFor[struct {
			ID int
			V  string `holdfast:"version"`
		}](),
		"MarkedTwice": reflect.TypeFor[struct {
			ID   int
			A, B int64 `holdfast:"version"`
		}](),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := entity.Parse(typ); !errors.Is(err, entity.ErrInvalid) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestMarkers(t *testing.T) {
	t.Parallel()
	e, err := entity.Parse(reflect.TypeFor[struct {
		gorm.Model
		Version int64 `holdfast:"version"`
		Stamp   int64 `gorm:"autoUpdateTime:milli"`
		Both    int64 `gorm:"autoCreateTime;autoUpdateTime"`
	}]())
	if err != nil || len(e.Created) != 1 || len(e.Updated) != 3 {
		t.Fatalf("UpdatedAt of gorm.Model and Stamp: got %+v, %v", e, err)
	}
	e, err = entity.Parse(reflect.TypeFor[struct {
		ID        int
		CreatedAt time.Time
		Gone      *time.Time `holdfast:"deleted"`
		Version   int64      `holdfast:"version"`
	}]())
	if err != nil || e.Created != nil || e.Deleted == nil || e.Deleted.Name != "Gone" || e.Version == nil {
		t.Fatalf("got %+v, %v", e, err)
	}
	e, err = entity.Parse(reflect.TypeFor[gorm.Model]())
	if err != nil || e.Created == nil || e.Updated == nil || e.Deleted == nil || e.Version != nil {
		t.Fatalf("gorm.Model: got %+v, %v", e, err)
	}
}

func TestConvertID(t *testing.T) {
	t.Parallel()
	oid := bson.NewObjectID()
	for name, c := range map[string]struct {
		id   any
		key  reflect.Type
		want any
	}{
		"Same":           {"a", reflect.TypeFor[string](), "a"},
		"IntToInt64":     {7, reflect.TypeFor[int64](), int64(7)},
		"IntToUint8":     {255, reflect.TypeFor[uint8](), uint8(255)},
		"UintToInt":      {uint64(9), reflect.TypeFor[int](), 9},
		"TooLarge":       {256, reflect.TypeFor[uint8](), nil},
		"TooLargeUint":   {uint64(1) << 63, reflect.TypeFor[int64](), nil},
		"Negative":       {-1, reflect.TypeFor[uint](), nil},
		"TextToNamed":    {"s", reflect.TypeFor[sku](), sku("s")},
		"TextToInt":      {"1", reflect.TypeFor[int](), nil},
		"IntToText":      {1, reflect.TypeFor[string](), nil},
		"FloatToInt":     {1.0, reflect.TypeFor[int](), nil},
		"HexToObjectID":  {oid.Hex(), reflect.TypeFor[bson.ObjectID](), oid},
		"TextToObjectID": {"xyz", reflect.TypeFor[bson.ObjectID](), nil},
		"IntToPointer":   {7, reflect.TypeFor[*int64](), new(int64(7))},
		"PointerToInt":   {new(7), reflect.TypeFor[int](), nil},
		"NilPointer":     {(*int)(nil), reflect.TypeFor[*int](), nil},
		"TextToUUID":     {"00Ff", reflect.TypeFor[token](), token{1: 255}},
		"BadTextToUUID":  {"00", reflect.TypeFor[token](), nil},
		"BytesToUUID":    {[2]byte{1}, reflect.TypeFor[token](), token{1}},
		"TextToUUIDs":    {"00ff", reflect.TypeFor[*token](), &token{1: 255}},
		"IntToUUID":      {1, reflect.TypeFor[token](), nil},
		"Slice":          {[]int{1}, reflect.TypeFor[int](), nil},
		"Nil":            {nil, reflect.TypeFor[int](), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := entity.ConvertID(c.id, c.key)
			if (err != nil) != (c.want == nil) || err != nil && !errors.Is(err, entity.ErrInvalid) || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestKeyFromID(t *testing.T) {
	t.Parallel()
	type line struct {
		Order int    `gorm:"primaryKey"`
		Pos   string `gorm:"primaryKey"`
	}
	e, err := entity.Parse(reflect.TypeFor[line]())
	if err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]any{"Value": line{1, "a"}, "Pointer": &line{1, "a"}} {
		got, err := e.KeyFromID(id)
		if err != nil || entity.Comparable(got) != entity.Comparable([]any{1, "a"}) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	for name, id := range map[string]any{"Part": 1, "Slice": []any{1, "a"}, "NilPointer": (*line)(nil), "Nil": nil} {
		if got, err := e.KeyFromID(id); !errors.Is(err, entity.ErrInvalid) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

type place struct{ City string }

func TestFieldByName(t *testing.T) {
	t.Parallel()
	typ := reflect.TypeFor[struct {
		base
		ID   int
		Home place `gorm:"embedded;embeddedPrefix:home_"`
		Work place `gorm:"embedded;embeddedPrefix:work_"`
		Back *struct{ Place place }
	}]()
	for name, want := range map[string][]int{
		"ID": {1}, "Code": {0, 0}, "Home.City": {2, 0}, "Work.City": {3, 0},
		"City": {2, 0}, "Back.Place.City": {4, 0, 0}, "Home": {2}, "base.Code": nil, "Work.Town": nil, "": nil,
	} {
		f, ok := entity.FieldByName(typ, name)
		if ok != (want != nil) || ok && !reflect.DeepEqual(f.Index, want) {
			t.Errorf("%s: got %+v, %v", name, f, ok)
		}
	}
}

func TestParseKeyed(t *testing.T) {
	t.Parallel()
	typ := reflect.TypeFor[struct{ A, B, C int }]()
	e, err := entity.ParseKeyed(typ, [][]int{{2}, {0}})
	if err != nil || len(e.Key) != 2 || e.Key[0].Name != "C" || e.Key[1].Name != "A" {
		t.Fatalf("got %+v, %v", e, err)
	}
	if _, err := entity.ParseKeyed(typ, nil); !errors.Is(err, entity.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
}
