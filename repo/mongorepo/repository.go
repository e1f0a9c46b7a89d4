package mongorepo

import (
	"context"
	"reflect"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
)

// Repository keeps entities of type T in one collection. All methods may be
// called concurrently, but for those with the context of one transaction.
type Repository[T any] struct {
	coll *mongo.Collection
	// loose has the read preference and the concerns of the user, firm those that
	// the fence needs, and fresh reads the newest.
	loose, firm, fresh command.Collection

	fence  *fence.Fence
	opts   Options
	ent    *entity.Entity
	layout *layout
	codec  *codec

	// deletedDoc tells that the deletion mark is stored as a document with a
	// field "valid", and not as a date or null.
	deletedDoc bool

	tx *support
}

// FenceMode is driver.FenceDocument; see the package documentation.
func (r *Repository[T]) FenceMode() driver.FenceMode { return driver.FenceDocument }

func (r *Repository[T]) client() *mongo.Client { return r.coll.Database().Client() }

// now is the time with the precision that the store keeps.
func (r *Repository[T]) now() time.Time {
	return r.opts.Now().UTC().Truncate(time.Millisecond)
}

// on is the collection for a call that shows the claims.
func (r *Repository[T]) on(cs fence.Claims) command.Collection {
	if len(cs) == 0 {
		return r.loose
	}
	return r.firm
}

// reading is the collection for a query under ctx.
func (r *Repository[T]) reading(ctx context.Context) command.Collection {
	if _, fenced := driver.FenceFrom(ctx); fenced {
		return r.firm
	}
	return r.loose
}

func valueOf[T any](e *T) reflect.Value { return reflect.ValueOf(e).Elem() }
