package driver_test

import (
	"reflect"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Whatever holds an object, RFC 7396 says the same of it.
func TestMerge_IntoWhateverHoldsAnObject(t *testing.T) {
	t.Parallel()
	type holder struct {
		Any   any            `json:"any"`
		Map   map[string]any `json:"map"`
		M     bson.M         `json:"m"`
		D     bson.D         `json:"d"`
		Inner struct{ V any }
	}
	old := func() holder {
		return holder{
			Any: bson.D{{Key: "a", Value: int32(1)}, {Key: "b", Value: bson.D{{Key: "x", Value: 1}, {Key: "y", Value: 2}}}, {Key: "c", Value: 3}},
			Map: map[string]any{"p": bson.D{{Key: "x", Value: 1}, {Key: "y", Value: 2}}, "q": bson.M{"x": 1, "y": 2}, "r": 1},
			M:   bson.M{"p": bson.M{"x": 1, "y": 2}, "q": map[string]any{"x": 1, "y": 2}},
			D:   bson.D{{Key: "p", Value: bson.M{"x": 1, "y": 2}}, {Key: "q", Value: bson.A{1, 2}}},
			Inner: struct{ V any }{
				V: bson.M{"x": bson.D{{Key: "deep", Value: bson.D{{Key: "k", Value: 1}, {Key: "l", Value: 2}}}}},
			},
		}
	}
	docs, err := driver.Decode[holder](repo.SmartSaveDTO{EntityList: []string{`{
		"any": {"b": {"x": 9}, "c": null, "n": {"new": true}},
		"map": {"p": {"x": 9}, "q": {"x": null}},
		"m": {"p": {"x": 9}, "q": {"y": null}},
		"d": {"p": {"x": 9}, "q": [null], "s": "new"},
		"Inner": {"V": {"x": {"deep": {"k": null}}}}}`}}, repo.Merge())
	if err != nil {
		t.Fatal(err)
	}
	got, stored := old(), old()
	got.Any, got.D = stored.Any, stored.D // as an entity that is shared
	if err := docs.MergeInto(0, &got); err != nil {
		t.Fatal(err)
	}
	want := holder{
		Any: bson.D{{Key: "a", Value: int32(1)}, {Key: "b", Value: bson.D{{Key: "x", Value: 9.0}, {Key: "y", Value: 2}}}, {Key: "n", Value: map[string]any{"new": true}}},
		Map: map[string]any{"p": bson.D{{Key: "x", Value: 9.0}, {Key: "y", Value: 2}}, "q": bson.M{"y": 2}, "r": 1},
		M:   bson.M{"p": bson.M{"x": 9.0, "y": 2}, "q": map[string]any{"x": 1}},
		D:   bson.D{{Key: "p", Value: bson.M{"x": 9.0, "y": 2}}, {Key: "q", Value: []any{nil}}, {Key: "s", Value: "new"}},
		Inner: struct{ V any }{
			V: bson.M{"x": bson.D{{Key: "deep", Value: bson.D{{Key: "l", Value: 2}}}}},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
	if d := stored.Any.(bson.D); len(d) != 3 || d[1].Value.(bson.D)[0].Value != 1 {
		t.Errorf("the list that was merged into has changed: %v", d)
	}
}

// A value that is no object is replaced by one, and the other way round.
func TestMerge_ReplacesWhatIsNoObject(t *testing.T) {
	t.Parallel()
	type holder struct {
		V any `json:"v"`
	}
	for doc, want := range map[string]any{
		`{"v": {"a": 1}}`: map[string]any{"a": 1.0},
		`{"v": [1]}`:      []any{1.0},
		`{"v": "text"}`:   "text",
		`{"v": null}`:     nil,
	} {
		docs, err := driver.Decode[holder](repo.SmartSaveDTO{EntityList: []string{doc}}, repo.Merge())
		if err != nil {
			t.Fatal(err)
		}
		for _, old := range []any{nil, 7, bson.A{1}, []struct{ Key string }{{"a"}}} {
			h := holder{old}
			if err := docs.MergeInto(0, &h); err != nil || !reflect.DeepEqual(h.V, want) {
				t.Errorf("%s into %v: %#v, %v", doc, old, h.V, err)
			}
		}
	}
}
