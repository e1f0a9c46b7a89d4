package mongorepo

import (
	"context"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// maxGroup is how many documents one bulk write takes for several callers.
const maxGroup = 1000

// Grouping tells that saves of several callers are put into one bulk write where
// entities have no version, which takes a command for each, and where nothing is made
// out of a caller's context: keys by a function, or the actor.
func (r *Repository[T]) Grouping(as repo.Repository[T]) driver.Grouping {
	switch {
	case as != repo.Repository[T](r):
		return driver.Apart(driver.Wrapped)
	case r.ent.Version != nil:
		return driver.Apart("a document with a version takes a command of its own")
	case r.opts.NewID != nil:
		return driver.Apart("Options.NewID makes keys out of a caller's context")
	case r.ent.HasActors():
		return driver.Apart("the actor is that of one caller's context")
	default:
		return driver.Grouping{How: "one bulk write"}
	}
}

// GroupSize returns how many of the calls one bulk write takes.
func (r *Repository[T]) GroupSize(calls []driver.SaveCall[T]) int {
	return driver.GroupSize(calls, maxGroup, func(e *T) (any, int) { return r.identity(e), 0 })
}

// SaveGroup saves the entities of several calls. Those that are not named in a
// *repo.BatchError are written; any other error says nothing about single ones.
func (r *Repository[T]) SaveGroup(ctx context.Context, calls []driver.SaveCall[T]) error {
	es := lo.FlatMap(calls, func(call driver.SaveCall[T], _ int) []*T { return call.Entities })
	return wrap(ctx, "save", r.saveAll(ctx, es, false))
}
