package driver_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// FuzzMerge compares Merge with RFC 7396 written down as it stands there.
func FuzzMerge(f *testing.F) {
	type holder struct {
		V any `json:"v"`
	}
	f.Fuzz(func(t *testing.T, stored, patch []byte) {
		doc := func(value []byte) repo.SmartSaveDTO {
			return repo.SmartSaveDTO{EntityList: []string{`{"v":` + string(value) + `}`}}
		}
		old, err := driver.Decode[holder](doc(stored))
		if err != nil {
			return
		}
		docs, err := driver.Decode[holder](doc(patch), repo.Merge())
		if err != nil {
			return
		}
		var change map[string]any
		if err := json.Unmarshal([]byte(doc(patch).EntityList[0]), &change); err != nil {
			t.Fatal(err)
		}
		was, err := json.Marshal(old.Entities[0])
		if err != nil {
			t.Fatal(err)
		}
		want := mergePatch(map[string]any{"v": old.Entities[0].V}, change)
		if err := docs.MergeInto(0, old.Entities[0]); err != nil {
			t.Fatal(err)
		}
		if got := old.Entities[0].V; !reflect.DeepEqual(got, want.(map[string]any)["v"]) {
			t.Fatalf("%s with %s merged into it is %#v, want %#v", was, patch, got, want)
		}
	})
}

// mergePatch is the algorithm of RFC 7396, section 2.
func mergePatch(target, patch any) any {
	change, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, _ := target.(map[string]any)
	result := map[string]any{}
	maps.Copy(result, object)
	for name, value := range change {
		if value == nil {
			delete(result, name)
		} else {
			result[name] = mergePatch(result[name], value)
		}
	}
	return result
}
