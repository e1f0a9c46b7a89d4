package repo

import (
	"context"

	"github.com/holdfast-go/holdfast/repo/internal/actor"
)

// WithActor returns a context under which writes name v as who created and who last changed
// an entity:
//
//	type Order struct {
//		...
//		CreatedBy string `holdfast:"createdby"` // set once, when the entity is inserted
//		UpdatedBy string `holdfast:"updatedby"` // set by every save
//	}
//
// v is of the type of these fields, or what an id of their type may be: text for a UUID, any
// integer that fits. Another one is ErrInvalid when an entity with such a field is written.
// Without an actor the fields keep what the entity has. A field that is set already when
// the entity is inserted keeps its value as well, if it is marked createdby. Where calls
// are written together, each has the actor of its own context.
//
// A document of SmartSave that inserts can name who created the entity, as it can name the
// time. Where clients must not, give the field the tag json:"-".
func WithActor(ctx context.Context, v any) context.Context { return actor.With(ctx, v) }
