package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/smartsave"
)

// Mode says what SmartSave does with members that a document does not name.
type Mode = smartsave.Mode

// The modes of SmartSave.
const (
	// ModeReplace overwrites the whole entity.
	ModeReplace = smartsave.ModeReplace
	// ModeMerge keeps what the document does not name and clears what it
	// gives as null.
	ModeMerge = smartsave.ModeMerge
	// ModeMergeNonNull keeps both.
	ModeMergeNonNull = smartsave.ModeMergeNonNull
)

// DocumentSaver is a repository that saves documents which are decoded
// already, so that a wrapper can check them before it takes a lock and need
// not decode them twice.
type DocumentSaver[T any] interface {
	// SaveDocuments does what SmartSave does after decoding. After an error it may be
	// called again with docs; else it may have returned the entities of docs, or changed
	// them.
	SaveDocuments(ctx context.Context, docs *Documents[T]) ([]*T, error)
}

// Documents is a list of documents that passed all checks.
type Documents[T any] struct {
	// Mode is what to do with members that are not named.
	Mode Mode
	// Chunk is how many documents are committed at a time; zero: all at once. See
	// repo.Chunks.
	Chunk int
	// Entities holds each document decoded into a new entity, in the order of
	// the list. When merging they serve to read the keys, and as what to
	// insert where nothing is stored.
	Entities []*T

	docs   []string
	decode func(doc []byte, into *T) error
}

// Decode checks and decodes the whole list, as SmartSave does first. It
// returns ErrEmptySave, ErrTooMany, ErrInvalid for a bad option, or a
// *BatchError that names every bad document.
func Decode[T any](dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) (*Documents[T], error) {
	s := smartsave.Options{MaxDocuments: repo.DefaultMaxDocuments, MaxBytes: repo.DefaultMaxBytes}
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
	chunk := lo.FromPtr(s.Chunk)
	if s.Chunk != nil && chunk < 1 {
		return nil, badChunk(chunk)
	}
	d := &Documents[T]{
		Mode: s.Mode, Chunk: chunk, decode: decode,
		Entities: make([]*T, len(dto.EntityList)), docs: slices.Clone(dto.EntityList),
	}
	var bad []*repo.ItemError
	for i, text := range dto.EntityList {
		if it := d.add(i, []byte(text)); it != nil {
			bad = append(bad, it)
		}
	}
	if len(bad) > 0 {
		return nil, &repo.BatchError{Items: bad}
	}
	return d, nil
}

// add checks and decodes one document.
func (d *Documents[T]) add(i int, doc []byte) *repo.ItemError {
	if k := jsontext.Value(doc).Kind(); k != jsontext.KindBeginObject {
		return &repo.ItemError{Index: i, Err: fmt.Errorf("%w: want a JSON object, not %s", repo.ErrInvalid, describe(k, doc))}
	}
	if tooManyMembers(doc) {
		return &repo.ItemError{Index: i, Err: fmt.Errorf("%w: members, allowed are %d", repo.ErrTooMany, repo.MaxMembers)}
	}
	if d.Mode == ModeMergeNonNull {
		stripped, err := stripNulls(doc)
		if err != nil {
			return itemError(i, err)
		}
		if len(stripped) < len(doc) {
			d.docs[i] = string(stripped)
		}
		doc = stripped
	}
	e := new(T)
	if err := d.decode(doc, e); err != nil {
		return itemError(i, err)
	}
	d.Entities[i] = e
	return nil
}

// MergeInto applies document i to e, a stored entity. On an error, an
// *ItemError, e is in an undefined state.
func (d *Documents[T]) MergeInto(i int, e *T) error {
	if err := d.decode([]byte(d.docs[i]), e); err != nil {
		return itemError(i, err)
	}
	return nil
}

func checkCaps(dto repo.SmartSaveDTO, s *smartsave.Options) error {
	if s.MaxDocuments <= 0 || s.MaxBytes <= 0 {
		return fmt.Errorf("%w: smart save caps must be positive", repo.ErrInvalid)
	}
	if len(dto.EntityList) == 0 {
		return repo.ErrEmptySave
	}
	if len(dto.EntityList) > s.MaxDocuments {
		return fmt.Errorf("%w: %d, allowed are %d", repo.ErrTooMany, len(dto.EntityList), s.MaxDocuments)
	}
	total := 0
	for _, doc := range dto.EntityList {
		total += len(doc)
	}
	if total > s.MaxBytes {
		return fmt.Errorf("%w: %d bytes, allowed are %d", repo.ErrTooMany, total, s.MaxBytes)
	}
	return nil
}

func decoderFor[T any](s *smartsave.Options) (func([]byte, *T) error, error) {
	if s.Decoder != nil {
		fn, ok := s.Decoder.(func([]byte, *T) error)
		if !ok || fn == nil {
			return nil, fmt.Errorf("%w: decoder is not for %s", repo.ErrInvalid, reflect.TypeFor[T]())
		}
		return fn, nil
	}
	merge := s.Mode != ModeReplace
	reject := merge
	if s.RejectUnknown != nil {
		reject = *s.RejectUnknown
	}
	// Names match without regard to case, nearly as encoding/json does it:
	// entities often have no json tags, and the documents come in camel case.
	opts := []json.Options{json.MatchCaseInsensitiveNames(true), json.RejectUnknownMembers(reject)}
	own := json.UnmarshalFromFunc(clearText)
	if merge {
		own = json.UnmarshalFromFunc(mergeMaps)
	}
	if s.Java != nil {
		own = json.JoinUnmarshalers(json.UnmarshalFromFunc(javaForms(s.Java)), own)
	}
	joined := json.JoinOptions(append(opts, json.WithUnmarshalers(own))...)
	return func(doc []byte, into *T) error { return json.Unmarshal(doc, into, joined) }, nil
}

func itemError(i int, err error) *repo.ItemError {
	it := &repo.ItemError{Index: i, Err: fmt.Errorf("%w: %w", repo.ErrInvalid, err)}
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
