package repo

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/internal/query"
)

// MinCursorKey is how many bytes a key of Cursors has at least.
const MinCursorKey = 32

// Cursors makes the cursors of windows and reads them back. A cursor is text for URLs. It
// holds the sort keys of the last entity of a window and is signed by HMAC-SHA-256, so that
// a client can neither change it nor use it for another query. It is not encrypted: sort
// by no field that the client must not see. Cursors may be used concurrently.
type Cursors struct{ keys [][]byte }

// NewCursors returns Cursors that sign with the key. They accept cursors that were signed
// with one of the former keys as well, so that the key can be changed while clients have
// cursors. All pods need the same key. A key of less than MinCursorKey bytes is ErrInvalid.
func NewCursors(key []byte, former ...[]byte) (*Cursors, error) {
	keys := append([][]byte{key}, former...)
	for _, k := range keys {
		if len(k) < MinCursorKey {
			return nil, fmt.Errorf("repo: new cursors: %w: a key of %d bytes for cursors, it has at least %d", ErrInvalid, len(k), MinCursorKey)
		}
	}
	return &Cursors{lo.Map(keys, func(k []byte, _ int) []byte { return slices.Clone(k) })}, nil
}

const (
	cursorForm = 1 // the first byte of what is signed
	printSize  = 16
	macSize    = sha256.Size
	// maxCursor bounds a cursor, which comes from a client.
	maxCursor = 64 << 10
)

func sign(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return h.Sum(nil)
}

// write makes the cursor of the place of e.
func (c *Cursors) write(p places, e reflect.Value) (string, error) {
	text := append([]byte{cursorForm}, p.print[:]...)
	for i, v := range p.valuesOf(e) {
		raw, err := encodeValue(v)
		if err != nil {
			return "", fmt.Errorf("%w: a cursor of field %s", err, p.orders[i].Field)
		}
		text = binary.AppendUvarint(text, uint64(len(raw)))
		text = append(text, raw...)
	}
	cursor := base64.RawURLEncoding.EncodeToString(append(sign(c.keys[0], text), text...))
	if len(cursor) > maxCursor {
		return "", fmt.Errorf("%w: a cursor of %d bytes: the sort keys are too long", ErrUnsupported, len(cursor))
	}
	return cursor, nil
}

// read returns the place of a cursor. The error says no more than that it is none: the
// client made it.
func (c *Cursors) read(cursor string, p places) ([]any, error) {
	if len(cursor) > maxCursor {
		return nil, fmt.Errorf("%w: it is too long", ErrCursor)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) < macSize+1+printSize {
		return nil, fmt.Errorf("%w: it is damaged", ErrCursor)
	}
	mac, text := raw[:macSize], raw[macSize:]
	if !lo.SomeBy(c.keys, func(key []byte) bool { return hmac.Equal(mac, sign(key, text)) }) {
		return nil, fmt.Errorf("%w: it is not signed with the key", ErrCursor)
	}
	if text[0] != cursorForm || !bytes.Equal(text[1:1+printSize], p.print[:]) {
		return nil, fmt.Errorf("%w: it belongs to another query", ErrCursor)
	}
	at, err := decodePlace(text[1+printSize:], p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCursor, err)
	}
	return at, nil
}

func decodePlace(text []byte, p places) ([]any, error) {
	at := make([]any, len(p.fields))
	for i, f := range p.fields {
		n, used := binary.Uvarint(text)
		if used <= 0 || n > uint64(len(text)-used) {
			return nil, fmt.Errorf("%w: it is damaged", ErrInvalid)
		}
		var err error
		if at[i], err = decodeValue(f.Type, text[used:used+int(n)]); err != nil {
			return nil, err
		}
		text = text[used+int(n):]
	}
	if len(text) > 0 {
		return nil, fmt.Errorf("%w: it is damaged", ErrInvalid)
	}
	return at, nil
}

// printOf is the fingerprint of a query: entities, order and conditions.
func printOf(t reflect.Type, q query.Query) ([printSize]byte, error) {
	text := fmt.Appendf(nil, "%s.%s", t.PkgPath(), t)
	for _, o := range q.Orders {
		text = fmt.Appendf(text, "\n%q desc %t nulls last %t", o.Field, o.Desc, o.NullsAtEnd())
	}
	conds, err := printConds(q.Where)
	if err != nil {
		return [printSize]byte{}, err
	}
	sum := sha256.Sum256(append(text, conds...))
	return [printSize]byte(sum[:]), nil
}

// printConds is the text of conditions, whose order does not matter.
func printConds(conds []query.Cond) ([]byte, error) {
	list := make([][]byte, len(conds))
	for i, c := range conds {
		sub, err := printConds(c.Sub)
		if err != nil {
			return nil, err
		}
		value, err := printValue(c.Value)
		if err != nil {
			return nil, err
		}
		list[i] = fmt.Appendf(nil, "\n%q %q %q %t %t {%q}", c.Field, c.Op, value, c.IgnoreCase, c.Negated, sub)
	}
	slices.SortFunc(list, bytes.Compare)
	return bytes.Join(list, nil), nil
}

func printValue(v any) ([]byte, error) {
	list, ok := v.([]any)
	if !ok {
		return encodeValue(reflect.ValueOf(v))
	}
	texts := make([][]byte, len(list))
	for i, v := range list {
		text, err := encodeValue(reflect.ValueOf(v))
		if err != nil {
			return nil, err
		}
		texts[i] = fmt.Appendf(nil, "%q ", text)
	}
	slices.SortFunc(texts, bytes.Compare)
	return bytes.Join(texts, nil), nil
}
