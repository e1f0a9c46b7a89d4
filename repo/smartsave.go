package repo

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// SmartSaveDTO is the body that Spring clients send: {"entityList": ["{...}"]},
// each element one entity as JSON text. Plain JSON objects in the list are
// accepted too.
type SmartSaveDTO struct {
	// EntityList holds one JSON object as text for each entity.
	EntityList []string `json:"entityList"`
}

// UnmarshalJSON accepts text and objects in the list. Elements of another kind
// are reported all together in a *BatchError.
func (d *SmartSaveDTO) UnmarshalJSON(data []byte) error {
	var wire struct {
		EntityList []jsontext.Value `json:"entityList"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return fmt.Errorf("%w: smart save body: %w", ErrInvalid, err)
	}
	list := make([]string, len(wire.EntityList))
	var bad []*ItemError
	for i, v := range wire.EntityList {
		switch v.Kind() {
		case jsontext.KindString:
			text, err := jsontext.AppendUnquote(nil, v)
			if err != nil {
				bad = append(bad, &ItemError{Index: i, Err: fmt.Errorf("%w: %w", ErrInvalid, err)})
			}
			list[i] = string(text)
		case jsontext.KindBeginObject:
			list[i] = string(v)
		default:
			bad = append(bad, &ItemError{Index: i, Err: fmt.Errorf("%w: want a JSON object or its text, not %s", ErrInvalid, v.Kind())})
		}
	}
	if len(bad) > 0 {
		return &BatchError{Items: bad}
	}
	d.EntityList = list
	return nil
}

// Mode says what SmartSave does with members that a document does not name.
type Mode int

// The modes of SmartSave.
const (
	// ModeReplace overwrites the whole entity.
	ModeReplace Mode = iota
	// ModeMerge keeps what the document does not name and clears what it
	// gives as null.
	ModeMerge
	// ModeMergeNonNull keeps both.
	ModeMergeNonNull
)

// The caps of SmartSave when no option changes them.
const (
	DefaultMaxDocuments = 10_000
	DefaultMaxBytes     = 64 << 20
)

// SmartSaveOption changes one call of SmartSave.
type SmartSaveOption func(*smartSave)

type smartSave struct {
	mode    Mode
	max     int
	bytes   int
	unknown *bool
	decoder any
}

// Replace overwrites the whole entity: a member that the document does not
// name becomes the zero value. It is the default, and what the Java smartSave
// does.
func Replace() SmartSaveOption { return func(s *smartSave) { s.mode = ModeReplace } }

// Merge applies each document to the stored entity as RFC 7396 says: members
// not named are kept, null clears. An entity that is not stored is inserted
// with what is given. Only columns that changed are written. The key, the
// times, the version and the deletion mark cannot be changed by a document; a
// version that it names must be the stored one, else ErrStale.
func Merge() SmartSaveOption { return func(s *smartSave) { s.mode = ModeMerge } }

// MergeNonNull is Merge where null members are taken as not named.
func MergeNonNull() SmartSaveOption { return func(s *smartSave) { s.mode = ModeMergeNonNull } }

// MaxDocuments changes the largest number of documents, by default
// DefaultMaxDocuments. n must be positive.
func MaxDocuments(n int) SmartSaveOption { return func(s *smartSave) { s.max = n } }

// MaxBytes changes the largest size of all documents together, by default
// DefaultMaxBytes. n must be positive.
func MaxBytes(n int) SmartSaveOption { return func(s *smartSave) { s.bytes = n } }

// RejectUnknown says whether a member that the entity does not have makes its
// document bad. By default it does when merging, where a misspelt name would
// silently do nothing, and does not when replacing, where clients may send
// more than the entity keeps.
func RejectUnknown(reject bool) SmartSaveOption {
	return func(s *smartSave) { s.unknown = &reject }
}

// WithDecoder decodes documents with fn instead, for instance where dates come
// in Java's formats. fn is called with the entity to decode into, which is the
// stored one when merging, and with the nulls taken out by MergeNonNull. T
// must be the repository's.
func WithDecoder[T any](fn func(doc []byte, into *T) error) SmartSaveOption {
	return func(s *smartSave) { s.decoder = fn }
}

// Documents is a list of documents that passed all checks.
type Documents[T any] struct {
	// Mode is what to do with members that are not named.
	Mode Mode
	// Entities holds each document decoded into a new entity, in the order of
	// the list. When merging they serve to read the keys, and as what to
	// insert where nothing is stored.
	Entities []*T

	docs   [][]byte
	decode func(doc []byte, into *T) error
}

// Decode checks and decodes the whole list, as SmartSave does first. It
// returns ErrEmptySave, ErrTooMany, ErrInvalid for a bad option, or a
// *BatchError that names every bad document.
func Decode[T any](dto SmartSaveDTO, opts ...SmartSaveOption) (*Documents[T], error) {
	s := smartSave{max: DefaultMaxDocuments, bytes: DefaultMaxBytes}
	for _, o := range opts {
		if o != nil {
			o(&s)
		}
	}
	decode, err := decoderFor[T](&s)
	if err != nil {
		return nil, err
	}
	if err := checkCaps(dto, &s); err != nil {
		return nil, err
	}
	d := &Documents[T]{
		Mode: s.mode, decode: decode,
		Entities: make([]*T, len(dto.EntityList)), docs: make([][]byte, len(dto.EntityList)),
	}
	var bad []*ItemError
	for i, text := range dto.EntityList {
		if it := d.add(i, []byte(text)); it != nil {
			bad = append(bad, it)
		}
	}
	if len(bad) > 0 {
		return nil, &BatchError{Items: bad}
	}
	return d, nil
}

// add checks and decodes one document.
func (d *Documents[T]) add(i int, doc []byte) *ItemError {
	if k := jsontext.Value(doc).Kind(); k != jsontext.KindBeginObject {
		return &ItemError{Index: i, Err: fmt.Errorf("%w: want a JSON object, not %s", ErrInvalid, describe(k, doc))}
	}
	if d.Mode == ModeMergeNonNull {
		stripped, err := stripNulls(doc)
		if err != nil {
			return itemError(i, err)
		}
		doc = stripped
	}
	e := new(T)
	if err := d.decode(doc, e); err != nil {
		return itemError(i, err)
	}
	d.docs[i], d.Entities[i] = doc, e
	return nil
}

// MergeInto applies document i to e, a stored entity. On an error, an
// *ItemError, e is in an undefined state.
func (d *Documents[T]) MergeInto(i int, e *T) error {
	if err := d.decode(d.docs[i], e); err != nil {
		return itemError(i, err)
	}
	return nil
}

func checkCaps(dto SmartSaveDTO, s *smartSave) error {
	if s.max <= 0 || s.bytes <= 0 {
		return fmt.Errorf("%w: smart save caps must be positive", ErrInvalid)
	}
	if len(dto.EntityList) == 0 {
		return ErrEmptySave
	}
	if len(dto.EntityList) > s.max {
		return fmt.Errorf("%w: %d, allowed are %d", ErrTooMany, len(dto.EntityList), s.max)
	}
	total := 0
	for _, doc := range dto.EntityList {
		total += len(doc)
	}
	if total > s.bytes {
		return fmt.Errorf("%w: %d bytes, allowed are %d", ErrTooMany, total, s.bytes)
	}
	return nil
}

func decoderFor[T any](s *smartSave) (func([]byte, *T) error, error) {
	if s.decoder != nil {
		fn, ok := s.decoder.(func([]byte, *T) error)
		if !ok || fn == nil {
			return nil, fmt.Errorf("%w: decoder is not for %s", ErrInvalid, reflect.TypeFor[T]())
		}
		return fn, nil
	}
	merge := s.mode != ModeReplace
	reject := merge
	if s.unknown != nil {
		reject = *s.unknown
	}
	// Names match without regard to case, nearly as encoding/json does it:
	// entities often have no json tags, and the documents come in camel case.
	opts := []json.Options{json.MatchCaseInsensitiveNames(true), json.RejectUnknownMembers(reject)}
	if merge {
		opts = append(opts, json.WithUnmarshalers(json.UnmarshalFromFunc(mergeMaps)))
	} else {
		opts = append(opts, json.WithUnmarshalers(json.UnmarshalFromFunc(clearText)))
	}
	joined := json.JoinOptions(opts...)
	return func(doc []byte, into *T) error { return json.Unmarshal(doc, into, joined) }, nil
}

func itemError(i int, err error) *ItemError {
	it := &ItemError{Index: i, Err: fmt.Errorf("%w: %w", ErrInvalid, err)}
	if sem, ok := errors.AsType[*json.SemanticError](err); ok {
		it.Pointer = string(sem.JSONPointer)
	} else if syn, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		it.Pointer = string(syn.JSONPointer)
	}
	return it
}

// describe says what a document is instead of an object. Of its content it
// shows one character at most: it goes into logs.
func describe(k jsontext.Kind, doc []byte) string {
	if k != jsontext.KindInvalid {
		return "a JSON value of kind " + k.String()
	}
	rest := bytes.TrimLeft(doc, " \t\r\n")
	if len(rest) == 0 {
		return fmt.Sprintf("a text of %d bytes without any JSON", len(doc))
	}
	r, _ := utf8.DecodeRune(rest)
	return fmt.Sprintf("a text with %q at byte %d, where JSON would begin", r, len(doc)-len(rest))
}
