package mongorepo

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
)

// loaded is a document that was read.
type loaded[T any] struct {
	e     *T       // nil for a tombstone
	raw   bson.Raw // the document as it is in the store
	fence bson.Raw // nil when it has none
	// raised are the claims that were stored with the read; none without a
	// fence.
	raised fence.Claims
}

// seen takes a document apart.
func (r *Repository[T]) seen(raw bson.Raw, raised fence.Claims) (*loaded[T], error) {
	s := &loaded[T]{raw: raw, fence: fence.Of(raw), raised: raised}
	if fence.IsGone(s.fence) {
		return s, nil
	}
	var err error
	s.e, err = r.decode(raw)
	return s, err
}

// alive tells whether there is an entity, neither deleted nor marked so.
func (r *Repository[T]) alive(s *loaded[T]) bool {
	return s != nil && s.e != nil && !r.ent.IsDeleted(valueOf(s.e))
}

func (r *Repository[T]) stale(s *loaded[T], want int64) error {
	return fmt.Errorf("%w: version %d is stored, not %d", repo.ErrStale, r.ent.VersionOf(valueOf(s.e)), want)
}

// storedKey is the text of a stored key. It can be written in another way than
// the one asked for (an int32 for an int64): the decoded one is what compares.
func (r *Repository[T]) storedKey(s *loaded[T]) (string, error) {
	e := s.e
	if e == nil {
		var err error
		if e, err = r.decode(s.raw); err != nil {
			return "", err
		}
	}
	id, err := r.idOf(r.ent.KeyOf(valueOf(e)))
	return keyText(id), err
}
