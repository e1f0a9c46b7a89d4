package mongorepo

import (
	"fmt"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
)

const (
	// idsPerQuery and bytesOfIDs keep a query by ids well below the largest message.
	idsPerQuery = 10_000
	bytesOfIDs  = 8 << 20
	// maxDocument is the longest document that MongoDB takes. A condition is one too.
	maxDocument = 16 << 20
)

// parts cuts a list into queries by ids.
func parts[E interface{ idSize() int }](list []E) iter.Seq[[]E] {
	return func(yield func([]E) bool) {
		start, size := 0, 0
		for i, e := range list {
			if i-start == idsPerQuery || i > start && size+e.idSize() > bytesOfIDs {
				if !yield(list[start:i:i]) {
					return
				}
				start, size = i, 0
			}
			size += e.idSize()
		}
		if start < len(list) {
			yield(list[start:])
		}
	}
}

func (k keyed) idSize() int { return len(k.id.Value) }

// fits refuses conditions that are longer than a document may be, before they are
// sent: the server would close the connection.
func fits(conds bson.A) (bson.Raw, error) {
	raw, err := bson.Marshal(bson.D{{Key: "$and", Value: conds}})
	if err != nil {
		return nil, fmt.Errorf("%w: encoding conditions: %w", repo.ErrInvalid, err)
	}
	if len(raw) > maxDocument {
		return nil, fmt.Errorf("%w values: conditions of %d bytes, MongoDB takes %d", repo.ErrTooMany, len(raw), maxDocument)
	}
	return raw, nil
}
