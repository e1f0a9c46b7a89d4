package driver_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

func TestMergeNonNull_DecoderSeesNoNulls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ doc, want string }{
		{`{"a":1}`, `{"a":1}`},
		{`{"a": null }`, `{}`},
		{`{"a":null,"b":1}`, `{"b":1}`},
		{`{"b":1,"a":null}`, `{"b":1}`},
		{`{"a":null,"b":{"c":null,"d":{"e":null}},"f":null,"g":2}`, `{"b":{"d":{}},"g":2}`},
		{`{"l":[null,{"a":null}],"t":"null"}`, `{"l":[null,{"a":null}],"t":"null"}`},
		{`{"\u0061":12345678901234567890,"x":null}`, `{"\u0061":12345678901234567890}`},
		{` {"a":null} `, `{} `},
	} {
		var saw string
		_, err := driver.Decode[withJSON](list(c.doc), repo.MergeNonNull(), repo.WithDecoder(func(doc []byte, _ *withJSON) error {
			saw = string(doc)
			return nil
		}))
		if err != nil || saw != c.want {
			t.Errorf("%s: the decoder saw %s, %v, want %s", c.doc, saw, err, c.want)
		}
	}
}

func TestMergeNonNull_RefusesNamesGivenTwice(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{`{"ID":null,"ID":1}`, `{"ID":1,"Meta":{"a":null,"a":null}}`, `{"ID":1} {"a":null}`, `{"ID":nullx}`} {
		if _, err := driver.Decode[withJSON](list(doc), repo.MergeNonNull()); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: got %v", doc, err)
		}
	}
}

func TestSmartSave_BoundsTheMembersOfADocument(t *testing.T) {
	t.Parallel()
	unknown := make([]string, repo.MaxMembers)
	for i := range unknown {
		unknown[i] = fmt.Sprintf(`"x%d":":"`, i)
	}
	most := `{"Meta":{` + strings.Join(unknown[:len(unknown)-1], ",") + `}}`
	more := `{"Meta":[{` + strings.Join(unknown, ",") + `}]}`
	for _, mode := range []repo.SmartSaveOption{repo.Replace(), repo.Merge(), repo.MergeNonNull()} {
		if _, err := driver.Decode[withJSON](list(most), mode); err != nil {
			t.Error(err)
		}
		_, err := driver.Decode[withJSON](list(`{}`, more), mode)
		if it, ok := errors.AsType[*repo.ItemError](err); !ok || it.Index != 1 || !errors.Is(err, repo.ErrTooMany) {
			t.Errorf("got %v", err)
		}
	}
}
