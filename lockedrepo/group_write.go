package lockedrepo

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// maxGroupTime is how long one batch keeps the lock before the calls that are left
// queue for it again.
const maxGroupTime = 15 * time.Millisecond

// write does the calls in their order, as many at once as the store takes, but for those
// whose callers wait no longer. The rest are those that it did not come to.
func (g *group[T]) write(h *hold, calls []*waiting[T]) (answered, rest []*waiting[T]) {
	for begun := time.Now(); len(calls) > 0 && time.Since(begun) <= maxGroupTime; {
		live, left := lo.FilterReject(calls, func(w *waiting[T], _ int) bool { return w.wait.Err() == nil })
		for _, w := range left {
			w.left = true
		}
		answered, calls = append(answered, left...), live
		if len(live) > 0 {
			n := g.size(live)
			g.doTogether(h, live[:n])
			answered, calls = append(answered, live[:n]...), live[n:]
		}
	}
	return answered, calls
}

// size is how many of the calls, from the first on, can be done together: all of
// them are saves, or all are updates.
func (g *group[T]) size(calls []*waiting[T]) int {
	updates := calls[0].update != nil
	alike := lo.TakeWhile(calls, func(w *waiting[T]) bool { return (w.update != nil) == updates })
	switch {
	case len(alike) == 1:
		return 1
	case updates:
		return g.updater.UpdateGroupSize(updateCalls(alike))
	default:
		return g.saver.GroupSize(saveCalls(alike))
	}
}

func saveCalls[T any](calls []*waiting[T]) []driver.SaveCall[T] {
	return lo.Map(calls, func(w *waiting[T], _ int) driver.SaveCall[T] { return w.SaveCall })
}

func updateCalls[T any](calls []*waiting[T]) []*driver.UpdateCall[T] {
	return lo.Map(calls, func(w *waiting[T], _ int) *driver.UpdateCall[T] { return w.update })
}

// doTogether does calls by one transaction. Where that fails because of some of them,
// these are done alone, and those between them together, in the order of the calls:
// each gets the error of its own only.
func (g *group[T]) doTogether(h *hold, calls []*waiting[T]) {
	if len(calls) == 1 {
		w := calls[0]
		w.outcome = g.try(w.Context, h, w.doing, w.work)
		return
	}
	got := g.try(context.Background(), h, calls[0].doing, func(ctx context.Context) error { return g.transaction(ctx, calls) })
	if got.done() {
		return
	}
	named := g.atomic && h.lost() == nil && namesSome(calls, got.err)
	if !named && g.parts != nil && calls[0].update == nil && concernsSome(got.err) && h.lost() == nil {
		if got = g.doParts(h, calls); got.done() {
			return
		}
		named = namesSome(calls, got.err)
	}
	switch {
	case !g.atomic && got.err != nil:
		shareOut(calls, got)
	case named: // whatever it is, it is about these elements, or seems to be
		for _, part := range apart(calls, got.err) {
			g.doTogether(h, part)
		}
	case errors.Is(got.err, repo.ErrBusy):
		g.doAlone(h, calls)
	case got.err != nil && concernsAll(got.err):
		for _, w := range calls {
			w.outcome = got
		}
	default:
		for _, part := range apart(calls, got.err) {
			g.doTogether(h, part)
		}
	}
}

// doParts does saves that have failed together by one transaction, without those that
// fail by themselves.
func (g *group[T]) doParts(h *hold, calls []*waiting[T]) outcome {
	var failed []error
	got := g.try(context.Background(), h, calls[0].doing, func(ctx context.Context) (err error) {
		failed, err = g.parts.SaveParts(ctx, saveCalls(calls))
		return err
	})
	if got.done() {
		for i, w := range calls {
			w.err = failed[i]
		}
	}
	return got
}

// shareOut gives each call what concerns it, on a store that writes elements one by one.
func shareOut[T any](calls []*waiting[T], got outcome) {
	batch, ok := errors.AsType[*repo.BatchError](got.err)
	if !ok {
		for _, w := range calls {
			w.outcome = got
		}
		return
	}
	begin := 0
	for _, w := range calls {
		own := &repo.BatchError{}
		for _, it := range batch.Items {
			if n := it.Index - begin; 0 <= n && n < len(w.Entities) {
				own.Items = append(own.Items, &repo.ItemError{Index: n, Pointer: it.Pointer, ID: it.ID, Err: it.Err})
			}
		}
		begin += len(w.Entities)
		switch {
		case len(own.Items) == 0:
		case w.One:
			w.err = own.Items[0].Err
		default:
			w.err = own
		}
		if w.err != nil {
			w.err = fmt.Errorf("lockedrepo: %s: %w", w.doing, w.err)
		}
	}
}

func (g *group[T]) transaction(ctx context.Context, calls []*waiting[T]) error {
	if calls[0].update == nil {
		return g.saver.SaveGroup(ctx, saveCalls(calls))
	}
	if err := g.updater.UpdateGroup(ctx, updateCalls(calls)); err != nil {
		return err
	}
	for _, w := range calls {
		w.err = w.update.Err
	}
	return nil
}

// doAlone does one after the other. When a second one is kept waiting by another
// transaction the others are not tried: it is not a row of theirs that is in the way.
func (g *group[T]) doAlone(h *hold, calls []*waiting[T]) {
	busy := 0
	for i, w := range calls {
		g.doTogether(h, calls[i:i+1])
		if !errors.Is(w.err, repo.ErrBusy) {
			continue
		}
		if busy++; busy == 2 {
			for _, other := range calls[i+1:] {
				other.outcome = w.outcome
			}
			return
		}
	}
}

// concernsSome tells whether an error may say something about single calls only.
func concernsSome(err error) bool {
	return err != nil && !errors.Is(err, repo.ErrBusy) && !concernsAll(err)
}

// concernsAll tells whether an error says nothing about the entities.
func concernsAll(err error) bool {
	return slices.ContainsFunc([]error{
		etcdlock.ErrLost, repo.ErrFenced, repo.ErrRegressed, repo.ErrUnknown, repo.ErrWrongKey, repo.ErrDenied, sqldriver.ErrBadConn,
	}, func(kind error) bool { return errors.Is(err, kind) }) || errors.As(err, new(net.Error))
}

// namesSome tells whether an error names elements of some of the calls.
func namesSome[T any](calls []*waiting[T], err error) bool {
	batch, ok := errors.AsType[*repo.BatchError](err)
	elements := lo.SumBy(calls, func(w *waiting[T]) int { return max(1, len(w.Entities)) })
	return ok && lo.SomeBy(batch.Items, func(it *repo.ItemError) bool { return 0 <= it.Index && it.Index < elements })
}

// apart cuts calls whose save failed into smaller lists: those that the error names by
// themselves, or two halves where it names none.
func apart[T any](calls []*waiting[T], err error) (parts [][]*waiting[T]) {
	halves := slices.Collect(slices.Chunk(calls, (len(calls)+1)/2))
	batch, ok := errors.AsType[*repo.BatchError](err)
	if !ok {
		return halves
	}
	begin, element := 0, 0
	for i, w := range calls {
		next := element + max(1, len(w.Entities)) // an update has none yet
		if slices.ContainsFunc(batch.Items, func(it *repo.ItemError) bool { return element <= it.Index && it.Index < next }) {
			parts = append(parts, calls[begin:i], calls[i:i+1])
			begin = i + 1
		}
		element = next
	}
	if len(parts) == 0 {
		return halves
	}
	return slices.DeleteFunc(append(parts, calls[begin:]), func(part []*waiting[T]) bool { return len(part) == 0 })
}

// try makes one attempt with claims of its own. What the entities' code does in it, a
// panic included, belongs to the calls, and not to this goroutine.
func (g *group[T]) try(ctx context.Context, h *hold, doing string, work func(context.Context) error) outcome {
	got := make(chan outcome, 1)
	go func() {
		o := outcome{exits: true}
		defer func() {
			if p := recover(); p != nil {
				o = outcome{panics: p}
			}
			got <- o
		}()
		o = outcome{err: g.m.fencedOff(g.m.waitBounded(ctx), doing, h, work)}
	}()
	return <-got
}
