package gormrepo

import (
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/fence"
)

// call is one call that writes.
type call struct {
	tx *gorm.DB
	// joined tells that tx goes on after the call.
	joined bool
	// wrote is set after each statement that changed something.
	wrote bool
	// raced tells that a unique index refused an upsert, which PostgreSQL does
	// also when the row of the very same key comes in at the same moment and
	// has another unique value too.
	raced bool
	// again tells that a failed call knows another way.
	again bool
	// once tells that the only statement is the transaction, and behind puts it
	// behind claims, if there are any.
	once   bool
	behind *fence.Behind
	// whole tells that a statement which was refused for a row is not cut in half to
	// find the row: the call is made again in another way.
	whole bool
	// only is an item that is tried by itself, whatever else the call saves.
	only *item
	// careful tells that saves look first at what is stored.
	careful bool
	// saving are the entities that are saved with their associations: pointers to them,
	// and their keys.
	saving map[any]progress
}

// updating puts an UPDATE of GORM behind the claims of the call, if it shows any.
func (c *call) updating(tx *gorm.DB) *gorm.DB {
	if c.behind != nil {
		c.behind.Around(tx, tx.Callback().Update().Clauses)
	}
	return tx
}
