package driver

import (
	"context"

	"github.com/holdfast-go/holdfast/repo"
)

// SaveCall is one call of Save or SaveAll among several that are saved together.
type SaveCall[T any] struct {
	// Context has the values of the caller, for the hooks of its entities. It need
	// not be watched: the context of the group says when to stop.
	Context context.Context //nolint:containedctx // it belongs to the call
	// Entities are those of the call.
	Entities []*T
	// One tells of a call of Save, whose error is about its one entity.
	One bool
}

// GroupSaver is a repository that saves what several callers have waiting by one
// transaction: group commit, as databases do with their logs. Only what the calls
// store is put together. What runs for an entity, such as a hook, runs once for each
// attempt, with the values of its own caller's context.
type GroupSaver[T any] interface {
	// Grouping tells how calls of the repository as are put together.
	// They may not be where code that is not the entity's own could read the context of
	// one caller for another, nor where as is another repository around this one: what
	// its Save and Update do in addition would be left out.
	Grouping(as repo.Repository[T]) Grouping
	// GroupSize returns how many of the calls, from the first on, one transaction
	// takes: at least one, and none of whose entities has the key of another call's.
	GroupSize(calls []SaveCall[T]) int
	// SaveGroup does what SaveAll does for the entities of all calls. A *BatchError
	// counts the elements over all of them. With several calls it may be a guess, which
	// tells what to save apart from the others. Where the fence of the store is
	// FenceDocument those that it does not name are written, and another error says
	// nothing about single ones; elsewhere an error says that nothing was written.
	SaveGroup(ctx context.Context, calls []SaveCall[T]) error
}

// Grouping is how a store writes what several callers have waiting, in words for people.
type Grouping struct {
	// How names what is sent, such as "one statement". It is empty where each call goes by
	// itself.
	How string
	// Why is what the entities need, or what stands in the way. It may be empty.
	Why string
}

// Apart is the Grouping of calls that go by themselves.
func Apart(why string) Grouping { return Grouping{Why: why} }

// Wrapped is why calls of another repository around a GroupSaver go by themselves.
const Wrapped = "the repository is wrapped by another one, whose own Save would be left out"

// PartSaver is a GroupSaver that can save a group without the calls that fail.
type PartSaver[T any] interface {
	GroupSaver[T]
	// SaveParts does for each call, in their order, what Save or SaveAll does, all in
	// one transaction. A call that fails has its error in failed, at its place, and
	// the others are saved. Where err is not nil it concerns all of them, names none,
	// and nothing was written.
	SaveParts(ctx context.Context, calls []SaveCall[T]) (failed []error, err error)
}

// groupBytes bounds a group besides the number of its elements.
const groupBytes = 1 << 20

// GroupSize returns how many of the calls, from the first on, have no more than so many
// elements and a megabyte, and no key twice in different calls. It is for stores.
func GroupSize[T any](calls []SaveCall[T], limit int, keyOf func(e *T) (key any, bytes int)) int {
	elements, bytes, callOf := 0, 0, map[any]int{}
	for n, call := range calls {
		elements += len(call.Entities)
		for _, e := range call.Entities {
			key, size := keyOf(e)
			bytes += size
			if first, ok := callOf[key]; ok && first != n {
				return n
			}
			callOf[key] = n
		}
		if n > 0 && (elements > limit || bytes > groupBytes) {
			return n
		}
	}
	return len(calls)
}

// UpdateCall is one call of Update among several that are made together.
type UpdateCall[T any] struct {
	// Context has the values of the caller, as that of a SaveCall.
	Context context.Context //nolint:containedctx // it belongs to the call
	// ID and Change are the arguments of Update.
	ID     any
	Change func(*T) error
	// Entity and Err are what Update returns.
	Entity *T
	Err    error
}

// GroupUpdater is a GroupSaver that makes updates together, too.
type GroupUpdater[T any] interface {
	GroupSaver[T]
	repo.Updater[T]
	// UpdateGroupSize does for updates what GroupSize does for saves.
	UpdateGroupSize(calls []*UpdateCall[T]) int
	// UpdateGroup does for each call what Update does, in one transaction. Each Change
	// runs once for each attempt. A call whose entity is absent, or whose Change
	// fails, gets its Err, and the others are made. Any other error concerns
	// all of them: then nothing was written. A *BatchError counts the calls.
	UpdateGroup(ctx context.Context, calls []*UpdateCall[T]) error
}
