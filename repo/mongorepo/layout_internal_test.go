package mongorepo

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

type Base struct {
	ID        int64     `gorm:"primaryKey"`
	CreatedAt time.Time `holdfast:"created"`
	Seen      string    `bson:"seenAt,omitempty" json:"lastSeen"`
}

type nested struct {
	City   string `json:"town"`
	hidden string //nolint:unused // the codec must ignore it
}

type flat struct {
	Base         `bson:",inline"`
	CustomerName string
	JSONNamed    string `json:"jsonNamed"`
	Left         string `bson:"-"`
	Where        *nested
}

type boxed struct {
	Base
	Name string
}

type extra struct {
	ID   string
	Rest map[string]any `bson:",inline"`
}

func layoutOf[T any](t *testing.T, json bool) *layout {
	t.Helper()
	ent, err := entity.Parse(reflect.TypeFor[T]())
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLayout(ent, json)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// The names must be those that the codec writes: every field is set to a value
// of its own, encoded by the driver, and looked up under the name found here.
func TestLayout_NamesAreTheCodecs(t *testing.T) {
	t.Parallel()
	for _, json := range []bool{false, true} {
		e := flat{Base: Base{5, time.UnixMilli(7), "s"}, CustomerName: "c", JSONNamed: "j", Where: &nested{City: "w"}}
		c := newCodec(Options{BSON: &options.BSONOptions{UseJSONStructTags: json}}, &entity.Entity{})
		raw, err := c.marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		l := layoutOf[flat](t, json)
		for field, want := range map[string]any{"Seen": "s", "CustomerName": "c", "JSONNamed": "j", "Where.City": "w"} {
			path, isKey, err := l.field(field)
			if err != nil || isKey {
				t.Fatalf("%s: key %t, %v", field, isKey, err)
			}
			got, err := raw.LookupErr(strings.Split(path, ".")...)
			if err != nil || got.StringValue() != want {
				t.Errorf("json %t: %s is not at %s in %s", json, field, path, raw)
			}
		}
	}
}

func TestLayout_Fields(t *testing.T) {
	t.Parallel()
	l := layoutOf[flat](t, false)
	if p, isKey, err := l.field("ID"); p != "_id" || !isKey || err != nil {
		t.Errorf("the key is at %s, %t, %v", p, isKey, err)
	}
	for _, name := range []string{"Left", "Where.hidden", "Nobody"} {
		if _, _, err := l.field(name); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if want := []string{"seenAt", "customername", "jsonnamed", "where"}; !slices.Equal(l.known, want) {
		t.Errorf("a save writes %v, want %v", l.known, want)
	}
	if l.opaque || !layoutOf[extra](t, false).opaque {
		t.Error("an inline map, and only that, makes a type opaque")
	}
}

func TestLayout_EmbeddedWithoutInlineIsADocument(t *testing.T) {
	t.Parallel()
	l := layoutOf[boxed](t, false)
	if !slices.Equal(l.created, []string{"base.createdat"}) || l.keyNames[0] != "base.id" {
		t.Errorf("created at %s, key at %v", l.created, l.keyNames)
	}
	// The document is written field by field, around what is kept.
	if want := []string{"base.seenAt", "name"}; !slices.Equal(l.known, want) {
		t.Errorf("a save writes %v, want %v", l.known, want)
	}
}

func TestLayout_Refused(t *testing.T) {
	t.Parallel()
	type dotted struct {
		ID int
		A  string `bson:"a.b"`
	}
	type dollar struct {
		ID int
		A  string `bson:"$a"`
	}
	type unstoredKey struct {
		ID int `bson:"-"`
	}
	type unstoredVersion struct {
		ID  int
		Rev int `bson:"-" holdfast:"version"`
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[dotted](), reflect.TypeFor[dollar](), reflect.TypeFor[unstoredKey](), reflect.TypeFor[unstoredVersion](),
	} {
		ent, err := entity.Parse(typ)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newLayout(ent, false); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", typ, err)
		}
	}
}

func TestEqual_IgnoresTheOrderOfFields(t *testing.T) {
	t.Parallel()
	c := newCodec(Options{}, &entity.Entity{})
	value := func(v any) bson.RawValue {
		enc, err := c.value(v)
		if err != nil {
			t.Fatal(err)
		}
		return enc
	}
	ab := bson.D{{Key: "a", Value: 1}, {Key: "b", Value: bson.A{bson.D{{Key: "x", Value: 1}, {Key: "y", Value: 2}}}}}
	ba := bson.D{{Key: "b", Value: bson.A{bson.D{{Key: "y", Value: 2}, {Key: "x", Value: 1}}}}, {Key: "a", Value: 1}}
	if !equal(value(ab), value(ba)) {
		t.Error("the same fields in another order differ")
	}
	for _, other := range []any{
		bson.D{{Key: "a", Value: 1}},
		bson.D{{Key: "a", Value: 1}, {Key: "c", Value: nil}},
		bson.A{1},
		1, "a", nil,
		bson.D{{Key: "a", Value: 1}, {Key: "b", Value: bson.A{}}},
	} {
		if equal(value(ab), value(other)) {
			t.Errorf("%v is taken for equal", other)
		}
	}
	if equal(value(bson.A{1, 2}), value(bson.A{2, 1})) {
		t.Error("the order in a list does not count")
	}
}
