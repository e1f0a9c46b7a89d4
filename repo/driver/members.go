package driver

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-go/holdfast/repo"
)

// tooManyMembers tells whether a document has more than repo.MaxMembers. To find a name that
// is given twice the decoder keeps them all: a document of unknown ones would cost it
// seconds, and many times its size. What is no JSON is for the decoder to refuse.
func tooManyMembers(doc []byte) bool {
	if bytes.Count(doc, []byte(":")) <= repo.MaxMembers {
		return false
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(doc), jsontext.AllowDuplicateNames(true))
	for members := 0; members <= repo.MaxMembers; {
		if _, err := dec.ReadToken(); err != nil {
			return false
		}
		if kind, read := dec.StackIndex(dec.StackDepth()); kind == jsontext.KindBeginObject && read%2 == 1 {
			members++
		}
	}
	return true
}
