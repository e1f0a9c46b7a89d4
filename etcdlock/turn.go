package etcdlock

import (
	"sync"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/etcdlock/internal/cohort"
	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
)

// turn is the use that a Lock, and those nested in it, make of a hold, or of a place of
// their own.
type turn struct {
	cohort.Turn
	nested dependents // Locks that have the turn from an outer one
	attempts
}

// place returns the place of a turn that shares it with nobody.
func (t *turn) place() *queue.Node { return cohort.InQueue(t.Node) }

// part is one name of a Lock.
type part struct {
	turn   *turn
	nested bool // the turn belongs to an outer Lock
}

// attempts are those of one turn.
type attempts struct {
	once       sync.Once
	attempting chan struct{} // has room for the one attempt that is open
	drawn      atomic.Int64  // how many tokens
}
