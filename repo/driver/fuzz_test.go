package driver_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Whatever a client sends, decoding it does not panic and fails with one of the
// documented errors. What is accepted survives being written and read again,
// and merging it a second time changes nothing.
func FuzzSmartSave(f *testing.F) {
	for mode, body := range []string{
		`{"entityList":["{\"id\":\"1\",\"name\":\"Ann\",\"note\":null}"]}`,
		`{"entityList":[{"id":"1","parts":[{"k":"a","n":1},{"k":"b"}],"addr":{"n":2}}]}`,
		`{"entityList":[{"ID":"1","labels":{"a":"b","c":null},"extra":{"x":[1,null,{"y":-0.5e3}]}}]}`,
	} {
		f.Add([]byte(body), uint8(mode))
	}
	f.Fuzz(func(t *testing.T, body []byte, mode uint8) {
		var dto repo.SmartSaveDTO
		if err := dto.UnmarshalJSON(body); err != nil {
			if !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("body refused with %v", err)
			}
			return
		}
		modes := []repo.SmartSaveOption{repo.Replace(), repo.Merge(), repo.MergeNonNull()}
		docs, err := driver.Decode[doc](dto, modes[int(mode)%len(modes)])
		if err != nil {
			if !errors.Is(err, repo.ErrInvalid) && !errors.Is(err, repo.ErrEmptySave) && !errors.Is(err, repo.ErrTooMany) {
				t.Errorf("documents refused with %v", err)
			}
			return
		}
		if len(docs.Entities) != len(dto.EntityList) {
			t.Fatalf("%d entities from %d documents", len(docs.Entities), len(dto.EntityList))
		}
		for i, e := range docs.Entities {
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			again, err := driver.Decode[doc](list(string(text)))
			if err != nil {
				t.Fatalf("%s was written from what was accepted, and refused: %v", text, err)
			}
			if !reflect.DeepEqual(again.Entities[0], e) {
				t.Errorf("%+v came back from %s as %+v", e, text, again.Entities[0])
			}
			if docs.Mode != driver.ModeReplace {
				checkMergeTwice(t, docs, i)
			}
		}
	})
}

func checkMergeTwice(t *testing.T, docs *driver.Documents[doc], i int) {
	t.Helper()
	stored := func() *doc {
		return &doc{
			Name: "stored", Parts: []part{{K: "k", N: 7}}, Addr: part{K: "here"},
			Labels: map[string]string{"a": "1"}, Extra: map[string]any{"x": "y"},
		}
	}
	once, twice := stored(), stored()
	err := docs.MergeInto(i, once)
	for range 2 {
		if terr := docs.MergeInto(i, twice); (terr == nil) != (err == nil) {
			t.Fatalf("merging gives %v, and merging again %v", err, terr)
		}
	}
	if err == nil && !reflect.DeepEqual(once, twice) {
		t.Errorf("merged once: %+v, twice: %+v", once, twice)
	}
}
