package driver_test

import (
	"encoding/json"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// stubborn is text whose decoder ignores null.
type stubborn struct{ text string }

func (s *stubborn) UnmarshalJSON(data []byte) error {
	if string(data) != "null" {
		s.text = string(data)
	}
	return nil
}

type withJSON struct {
	ID   int
	Kept stubborn
	Meta json.RawMessage
	List []json.RawMessage
}

func TestMergeNullClearsWhateverTheDecoderDoes(t *testing.T) {
	t.Parallel()
	docs, err := driver.Decode[withJSON](repo.SmartSaveDTO{EntityList: []string{`{"ID":1,"Kept":null,"Meta":null,"List":[null]}`}}, repo.Merge())
	if err != nil {
		t.Fatal(err)
	}
	e := withJSON{ID: 1, Kept: stubborn{"old"}, Meta: json.RawMessage(`{"a":1}`)}
	if err := docs.MergeInto(0, &e); err != nil {
		t.Fatal(err)
	}
	if e.Kept.text != "" || e.Meta != nil || len(e.List) != 1 || string(e.List[0]) != "null" {
		t.Fatalf("got %+v", e)
	}
}

func TestMergeIntoJSONText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ old, patch, want string }{
		{`{"a":1,"b":{"c":2}}`, `{"b":{"d":3}}`, `{"a":1,"b":{"c":2,"d":3}}`},
		{`{"a":1,"b":{"c":2}}`, `{"a":null,"b":{"c":null}}`, `{"b":{}}`},
		{`{"n":12345678901234567890}`, `{"a":[1,null]}`, `{"a":[1,null],"n":12345678901234567890}`},
		{`[1]`, `{"a":{"b":null}}`, `{"a":{}}`},
		{``, `{"a":1}`, `{"a":1}`},
		{`{"a":1}`, `[2]`, `[2]`},
	} {
		docs, err := driver.Decode[withJSON](repo.SmartSaveDTO{EntityList: []string{`{"Meta":` + c.patch + `}`}}, repo.Merge())
		if err != nil {
			t.Fatal(err)
		}
		e := withJSON{Meta: json.RawMessage(c.old)}
		if err := docs.MergeInto(0, &e); err != nil || string(e.Meta) != c.want {
			t.Errorf("%s into %s: got %s, %v", c.patch, c.old, e.Meta, err)
		}
	}
}

func TestReplaceTakesNullForNoJSON(t *testing.T) {
	t.Parallel()
	docs, err := driver.Decode[withJSON](repo.SmartSaveDTO{EntityList: []string{`{"Meta":null,"List":[null]}`}})
	if err != nil || docs.Entities[0].Meta != nil || string(docs.Entities[0].List[0]) != "null" {
		t.Fatalf("got %+v, %v", docs, err)
	}
}
