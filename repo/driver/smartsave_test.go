package driver_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

type part struct {
	K string `json:"k"`
	N int    `json:"n"`
}

type doc struct {
	ID       string
	Name     string            `json:"name"`
	Note     *string           `json:"note"`
	Parts    []part            `json:"parts"`
	Addr     part              `json:"addr"`
	Labels   map[string]string `json:"labels"`
	Extra    any               `json:"extra"`
	Internal string            `json:"-"`
}

func list(docs ...string) repo.SmartSaveDTO { return repo.SmartSaveDTO{EntityList: docs} }

func TestSmartSaveDTO(t *testing.T) {
	t.Parallel()
	t.Run("TextAndObjects", func(t *testing.T) {
		var dto repo.SmartSaveDTO
		if err := json.Unmarshal([]byte(`{"entityList":["{\"id\":\"1\"}", {"id":"2"}]}`), &dto); err != nil {
			t.Fatal(err)
		}
		if want := []string{`{"id":"1"}`, `{"id":"2"}`}; !reflect.DeepEqual(dto.EntityList, want) {
			t.Fatalf("got %q, want %q", dto.EntityList, want)
		}
	})
	t.Run("NamesGivenTwice", func(t *testing.T) {
		for _, body := range []string{`{"entityList":[],"entityList":[{}]}`, `{"entityList":null,"entityList":[]}`} {
			var dto repo.SmartSaveDTO
			if err := json.Unmarshal([]byte(body), &dto); !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%s: got %v", body, err)
			}
		}
		var dto repo.SmartSaveDTO
		if err := json.Unmarshal([]byte(`{"entityList":[{"name":"a","name":"b"}],"x":1,"x":2}`), &dto); err != nil {
			t.Fatal(err)
		}
		if _, err := driver.Decode[doc](dto); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("OtherKindsAreReportedTogether", func(t *testing.T) {
		var dto repo.SmartSaveDTO
		err := json.Unmarshal([]byte(`{"entityList":[1, {}, null, []]}`), &dto)
		batch, ok := errors.AsType[*repo.BatchError](err)
		if !ok || len(batch.Items) != 3 || batch.Items[2].Index != 3 || !errors.Is(err, repo.ErrInvalid) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		dto  repo.SmartSaveDTO
		opts []repo.SmartSaveOption
		want error
	}{
		"EmptyList":         {list(), nil, repo.ErrEmptySave},
		"TooManyDocuments":  {list(`{}`, `{}`), []repo.SmartSaveOption{repo.MaxDocuments(1)}, repo.ErrTooMany},
		"TooManyBytes":      {list(`{"name":"abc"}`), []repo.SmartSaveOption{repo.MaxBytes(5)}, repo.ErrTooMany},
		"BadCap":            {list(`{}`), []repo.SmartSaveOption{repo.MaxBytes(-1)}, repo.ErrInvalid},
		"DecoderOfAnother":  {list(`{}`), []repo.SmartSaveOption{repo.WithDecoder(func([]byte, *part) error { return nil })}, repo.ErrInvalid},
		"NullDocument":      {list(`null`), nil, repo.ErrInvalid},
		"ListDocument":      {list(`[]`), nil, repo.ErrInvalid},
		"EmptyDocument":     {list(``), nil, repo.ErrInvalid},
		"TrailingData":      {list(`{} {}`), nil, repo.ErrInvalid},
		"TrailingDataMerge": {list(`{} x`), []repo.SmartSaveOption{repo.MergeNonNull()}, repo.ErrInvalid},
		"DuplicateMember":   {list(`{"name":"a","name":"b"}`), nil, repo.ErrInvalid},
		"DuplicateByCase":   {list(`{"name":"a","NAME":"b"}`), nil, repo.ErrInvalid},
		"UnknownInMerge":    {list(`{"nmae":"a"}`), []repo.SmartSaveOption{repo.Merge()}, repo.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := driver.Decode[doc](c.dto, c.opts...); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestDecodeNamesEveryBadDocument(t *testing.T) {
	t.Parallel()
	_, err := driver.Decode[doc](list(
		`{"name":1}`, `{"name":"fine"}`, `{"parts":[{"k":"a"},{"n":"x"}]}`, `{"addr":{"k":[]}}`, `nope`,
	))
	batch, ok := errors.AsType[*repo.BatchError](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	var got []string
	for _, it := range batch.Items {
		got = append(got, string(rune('0'+it.Index))+it.Pointer)
	}
	if want := []string{"0/name", "2/parts/1/n", "3/addr/k", "4"}; !reflect.DeepEqual(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// What is no JSON object is described without showing it.
func TestDecodeSaysWhatWasGiven(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"":                     "element 0: repo: invalid: want a JSON object, not a text of 0 bytes without any JSON",
		" \n":                  "a text of 2 bytes without any JSON",
		"  secret":             "a text with 's' at byte 2, where JSON would begin",
		"\ufeff{\"id\":\"1\"}": `a text with '\ufeff' at byte 0`,
		`"secret"`:             "a JSON value of kind string",
		`["secret"]`:           "a JSON value of kind [",
		"null":                 "a JSON value of kind null",
	} {
		_, err := driver.Decode[doc](list(given))
		if !errors.Is(err, repo.ErrInvalid) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", given, err)
		}
	}
}

func TestDecodeMatchesNamesWithoutCase(t *testing.T) {
	t.Parallel()
	docs, err := driver.Decode[doc](list(`{"i_d":"7","NA-ME":"x","unheardOf":1}`))
	if err != nil || docs.Entities[0].ID != "7" || docs.Entities[0].Name != "x" {
		t.Fatalf("got %+v, %v", docs, err)
	}
}

func stored() *doc {
	note := "n"
	return &doc{
		ID: "1", Name: "old", Note: &note, Internal: "kept", Addr: part{K: "k", N: 1},
		Parts:  []part{{K: "a", N: 1}, {K: "b", N: 2}},
		Labels: map[string]string{"a": "1", "b": "2"},
		Extra:  map[string]any{"x": map[string]any{"y": 1.0, "z": 2.0}, "w": "w"},
	}
}

func TestMergeInto(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode   repo.SmartSaveOption
		doc    string
		change func(*doc)
	}{
		"AbsentIsKept":         {repo.Merge(), `{"id":"1"}`, func(*doc) {}},
		"NullClears":           {repo.Merge(), `{"name":null,"note":null}`, func(d *doc) { d.Name, d.Note = "", nil }},
		"NestedIsMerged":       {repo.Merge(), `{"addr":{"n":5}}`, func(d *doc) { d.Addr.N = 5 }},
		"ListsAreReplaced":     {repo.Merge(), `{"parts":[{"k":"only"}]}`, func(d *doc) { d.Parts = []part{{K: "only"}} }},
		"NullRemovesMapEntry":  {repo.Merge(), `{"labels":{"a":null,"c":"3"}}`, func(d *doc) { d.Labels = map[string]string{"b": "2", "c": "3"} }},
		"ObjectsInAnyAreMaps":  {repo.Merge(), `{"extra":{"x":{"y":null},"w":null}}`, func(d *doc) { d.Extra = map[string]any{"x": map[string]any{"z": 2.0}} }},
		"NullsInListsAreKept":  {repo.Merge(), `{"extra":[{"a":null}]}`, func(d *doc) { d.Extra = []any{map[string]any{"a": nil}} }},
		"NonNullKeepsOnNull":   {repo.MergeNonNull(), `{"name":null,"addr":{"k":null,"n":9}}`, func(d *doc) { d.Addr.N = 9 }},
		"NonNullKeepsListNull": {repo.MergeNonNull(), `{"extra":[null]}`, func(d *doc) { d.Extra = []any{nil} }},
	} {
		t.Run(name, func(t *testing.T) {
			docs, err := driver.Decode[doc](list(c.doc), c.mode)
			if err != nil {
				t.Fatal(err)
			}
			got, want := stored(), stored()
			c.change(want)
			if err := docs.MergeInto(0, got); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%v\n got %+v\nwant %+v", err, got, want)
			}
		})
	}
}

// TestDecodeKeepsTheList: what its caller does with the list afterwards changes no document,
// and the list of the caller stays as it was.
func TestDecodeKeepsTheList(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]repo.SmartSaveOption{"Merge": repo.Merge(), "MergeNonNull": repo.MergeNonNull()} {
		given := list(`{"id":"1","name":null}`)
		docs, err := driver.Decode[doc](given, option)
		if err != nil || given.EntityList[0] != `{"id":"1","name":null}` {
			t.Fatalf("%s: got %q, %v", name, given.EntityList, err)
		}
		given.EntityList[0] = `{"id":"2"}`
		var e doc
		if err := docs.MergeInto(0, &e); err != nil || e.ID != "1" {
			t.Errorf("%s: got %+v, %v", name, e, err)
		}
	}
}

func TestMergePointsIntoMaps(t *testing.T) {
	t.Parallel()
	_, err := driver.Decode[doc](list(`{"labels":{"a":{"deep":1}}}`), repo.Merge())
	it, ok := errors.AsType[*repo.ItemError](err)
	if !ok || it.Pointer != "/labels/a" {
		t.Fatalf("got %v", err)
	}
}

func TestBatchErrorTextIsBounded(t *testing.T) {
	t.Parallel()
	docs := make([]string, 1000)
	_, err := driver.Decode[doc](list(docs...))
	if len(err.Error()) > 1000 || !strings.Contains(err.Error(), "and 995 more") {
		t.Fatalf("got %s", err)
	}
}
