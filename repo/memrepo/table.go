package memrepo

import (
	"maps"

	"github.com/holdfast-go/holdfast/repo"
)

// table is what a repository stores. A transaction works on a copy.
type table[T any] struct {
	rows   map[any]*row[T]
	unique []*index
	lastID uint64 // the largest integer key so far
	seq    uint64
	claims map[string]repo.Claim // the newest ones, by key
	guard  string                // the key that guards it; empty while none does
}

// row is a stored entity. It is never changed, only replaced: who got hold
// of it may read it without the lock.
type row[T any] struct {
	val *T
	seq uint64 // order of first saving
}

func newTable[T any](unique []*index) *table[T] {
	return &table[T]{rows: map[any]*row[T]{}, unique: unique, claims: map[string]repo.Claim{}}
}

// copied is a table that can be changed without t.
func (t *table[T]) copied() *table[T] {
	c := *t
	c.rows, c.claims = maps.Clone(t.rows), maps.Clone(t.claims)
	c.unique = make([]*index, len(t.unique))
	for i, x := range t.unique {
		c.unique[i] = &index{fields: x.fields, owner: maps.Clone(x.owner)}
	}
	return &c
}

// claim shows the claims of a call: all are stored or none.
func (t *table[T]) claim(claims []repo.Claim) error {
	for _, c := range claims {
		if stored, ok := t.claims[c.Key]; ok && !c.Succeeds(stored) {
			return &repo.FencedError{Stored: stored, Presented: c}
		}
	}
	for _, c := range claims {
		t.claims[c.Key] = c
	}
	return nil
}
