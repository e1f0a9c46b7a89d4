package lockedrepo

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/internal/fencing"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Group commit: what waits for the lock in this process when it comes is saved by one
// transaction. Nothing waits for company, so a caller who is alone saves alone. The
// scheme is that of databases, which write the log records of several commits at once
// (DeWitt and others, 1984); the lock is what makes it possible for rows.

// group collects the saves of one repository.
type group[T any] struct {
	m       *member
	saver   driver.GroupSaver[T]
	parts   driver.PartSaver[T]    // nil where a group fails as a whole
	updater driver.GroupUpdater[T] // nil where updates are made one by one
	// atomic tells that a group is saved as a whole or not at all.
	atomic bool

	mu sync.Mutex
	// busy counts the batches that have no answer yet, and the call that goes by itself.
	busy int
	// open is the batch that calls join; nil while there is none.
	open *batch[T]
	// pending counts the calls that have no answer yet.
	pending int
}

// batch are calls that wait for the lock together. It is guarded by group.mu.
type batch[T any] struct {
	calls []*waiting[T]
	rows  int
	// giveUp ends the wait for the lock, once nobody waits any more.
	giveUp context.CancelFunc
}

// waiting is one call: a save, or an update.
type waiting[T any] struct {
	driver.SaveCall[T]
	update *driver.UpdateCall[T]
	// wait ends when the caller waits no longer.
	wait  context.Context //nolint:containedctx // it belongs to the call
	doing string
	// work is the call by itself.
	work func(context.Context) error
	// left tells that wait ended before the call was sent. It is set by the goroutine
	// that serves the batch, before done is closed.
	left bool
	// batch is the one to leave; nil once it has the lock. It is guarded by group.mu.
	batch *batch[T]
	done  chan struct{}
	outcome
}

// outcome is how work ended: by an error or nil, a panic, or runtime.Goexit.
type outcome struct {
	err    error
	panics any
	exits  bool
}

func (o outcome) done() bool { return o.err == nil && o.panics == nil && !o.exits }

// These end a batch, however many calls wait: who is behind a long one waits longer.
const (
	maxGroupCalls = 256
	maxGroupRows  = 1000
)

// grouping tells how calls that wait are written.
func grouping[T any](inner repo.Repository[T], o Options) (driver.GroupSaver[T], driver.Grouping) {
	saver, ok := repo.As[driver.GroupSaver[T]](inner)
	switch {
	case o.Separate:
		return nil, driver.Apart("Options.Separate")
	case !ok:
		return nil, driver.Apart("the store does not put calls together")
	default:
		return saver, saver.Grouping(inner)
	}
}

// newGroup returns nil for a repository that cannot, or must not, save calls together.
func newGroup[T any](inner repo.Repository[T], m *member, o Options) *group[T] {
	saver, how := grouping(inner, o)
	if how.How == "" {
		return nil
	}
	fencer, ok := repo.As[driver.Fencer](inner)
	g := &group[T]{m: m, saver: saver, atomic: !ok || fencer.FenceMode() != driver.FenceDocument}
	g.parts, _ = repo.As[driver.PartSaver[T]](inner)
	g.updater, _ = repo.As[driver.GroupUpdater[T]](inner)
	return g
}

// joins tells whether a call may be saved with others: not one that belongs to a
// transaction or to a hold of its caller, who may hold it to save in a certain order.
func (g *group[T]) joins(ctx context.Context, rows int) bool {
	return g != nil && rows <= maxGroupRows/2 && g.m.txState(ctx) == driver.TxNone && !fencing.OfLocker(g.m.locker).HoldsAny(ctx)
}

// close has the calls that come now join another batch, behind the call that closes
// it: first come, first served.
func (g *group[T]) close() {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = nil
}

// save saves with others what the caller gives.
func (g *group[T]) save(ctx context.Context, doing string, es []*T, work func(context.Context) error) error {
	return g.run(ctx, &waiting[T]{SaveCall: driver.SaveCall[T]{Context: ctx, Entities: es, One: doing == saving}, doing: doing, work: work})
}

// update makes an update with others.
func (g *group[T]) update(ctx context.Context, id any, fn func(*T) error) (*T, error) {
	call := &driver.UpdateCall[T]{Context: ctx, ID: id, Change: fn}
	err := g.run(ctx, &waiting[T]{SaveCall: driver.SaveCall[T]{Context: ctx}, update: call, doing: "update", work: func(ctx context.Context) (err error) {
		call.Entity, err = g.updater.Update(ctx, id, fn)
		return err
	}})
	if err != nil && !errors.Is(err, ErrRelease) {
		return nil, err
	}
	return call.Entity, err
}

// run does what the caller asks for, together with what others do. A caller whose
// context ends before its call is sent leaves; one whose call is on the way learns what
// became of it.
func (g *group[T]) run(ctx context.Context, w *waiting[T]) error {
	if g.first() {
		defer g.last()
		return g.m.lockedAs(ctx, w.doing, join, w.work)
	}
	wait, cancel := context.WithTimeout(ctx, g.m.timeout)
	defer cancel()
	if wait.Err() != nil {
		return fmt.Errorf("lockedrepo: %s: %w", w.doing, gaveUp(wait))
	}
	w.wait, w.done = wait, make(chan struct{})
	g.join(w)
	defer g.answered()
	select {
	case <-w.done:
	case <-wait.Done():
		if g.leave(w) {
			return g.m.gaveUp(wait, w.doing)
		}
		<-w.done
	}
	switch {
	case w.left:
		return g.m.gaveUp(wait, w.doing)
	case w.panics != nil:
		panic(w.panics)
	case w.exits:
		runtime.Goexit()
	}
	return w.err
}

// first tells whether a call may go by itself, in its caller's goroutine: a batch of one
// would only cost it time.
func (g *group[T]) first() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy > 0 {
		return false
	}
	g.busy++
	g.pending++
	return true
}

// last ends what first has begun.
func (g *group[T]) last() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy--
	g.pending--
}

// answered counts down.
func (g *group[T]) answered() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pending--
}

// join adds a call to the open batch, or begins one.
func (g *group[T]) join(w *waiting[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.room(w).add(w)
	g.pending++
}

// room is the batch that a call joins: the open one, or the next where that is full.
func (g *group[T]) room(w *waiting[T]) *batch[T] {
	b := g.open
	if b == nil || len(b.calls) >= maxGroupCalls || b.rows+len(w.Entities) > maxGroupRows {
		b = g.begin()
	}
	return b
}

// again has calls wait for the lock again, before those that have come since. A caller
// whose wait ended meanwhile could not leave, and is answered.
func (g *group[T]) again(calls []*waiting[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var later []*waiting[T]
	if b := g.open; b != nil {
		later = b.calls
		b.calls, b.rows = nil, 0
	}
	for _, w := range slices.Concat(calls, later) {
		if w.batch == nil && w.wait.Err() != nil {
			w.left = true
			close(w.done)
			continue
		}
		g.room(w).add(w)
	}
}

// begin opens a batch.
func (g *group[T]) begin() *batch[T] {
	ctx, giveUp := context.WithCancel(context.Background()) //nolint:gosec // serve calls giveUp
	g.open = &batch[T]{giveUp: giveUp}
	g.busy++
	go g.serve(ctx, g.open)
	return g.open
}

func (b *batch[T]) add(w *waiting[T]) {
	w.batch, b.calls, b.rows = b, append(b.calls, w), b.rows+len(w.Entities)
}

// leave takes a call out of its batch, unless that has the lock.
func (g *group[T]) leave(w *waiting[T]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := w.batch
	if b == nil {
		return false
	}
	b.calls, b.rows = lo.Without(b.calls, w), b.rows-len(w.Entities)
	if len(b.calls) == 0 {
		b.giveUp()
		if g.open == b {
			g.open = nil
		}
	}
	return true
}

// take ends the time in which calls can join a batch, or leave it.
func (g *group[T]) take(b *batch[T]) []*waiting[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == b {
		g.open = nil
	}
	for _, w := range b.calls {
		w.batch = nil
	}
	return b.calls
}

// serve waits for the lock and saves what waits by then.
func (g *group[T]) serve(ctx context.Context, b *batch[T]) {
	defer g.served(b)
	hold, err := g.m.lock(ctx)
	if err == nil {
		err = g.m.lockOthers(ctx, hold)
	}
	calls := g.take(b)
	if err != nil {
		for _, w := range calls {
			w.err = fmt.Errorf("lockedrepo: %s: %w", w.doing, err)
			close(w.done)
		}
		return
	}
	answered, rest := g.write(hold, calls)
	if len(rest) > 0 {
		g.again(rest)
	}
	if len(g.m.also) > 0 || lo.SomeBy(answered, func(w *waiting[T]) bool { return errors.Is(w.err, repo.ErrFenced) }) {
		answer(answered, release(ctx, hold)) // which tells of the others' locks, and why the lock was lost
		return
	}
	answer(answered, hold.lost())
	g.gather()
	_ = release(ctx, hold) // a lock that stays behind ends with its lease
}

// answer ends calls, after which their hold may have ended.
func answer[T any](calls []*waiting[T], ended error) {
	for _, w := range calls {
		w.err = join(w.err, ended)
		close(w.done)
	}
}

// gather lets the callers that were just answered run before the lock is given back: what
// they save next joins what waits for it, and the lock need not go to another process
// and come back. It goes on while calls come, and does not wait for any.
func (g *group[T]) gather() {
	for joined := -1; ; {
		now := g.joined()
		if now <= joined || now >= maxGroupCalls {
			return
		}
		joined = now
		runtime.Gosched()
	}
}

// joined is how many calls the open batch has.
func (g *group[T]) joined() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		return 0
	}
	return len(g.open.calls)
}

func (g *group[T]) served(b *batch[T]) {
	b.giveUp()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy--
}

// gaveUp is the error of a call that waited in vain.
func (m *member) gaveUp(ctx context.Context, doing string) error {
	err := fmt.Errorf("lockedrepo: %s: waiting for %q: %w", doing, m.keys, gaveUp(ctx))
	if !errors.Is(err, etcdlock.ErrTimeout) {
		return err
	}
	text, silent := holders(ctx, m.exclusion)
	if silent != nil {
		return fmt.Errorf("lockedrepo: %s: waiting for %q: %w: %w", doing, m.keys, silent, context.Cause(ctx))
	}
	if len(m.also) > 0 {
		text += "; the locks of Options.Also are waited for, too"
	}
	return fmt.Errorf("%w: %s", err, text)
}

// waiting is how many calls have no answer yet.
func (g *group[T]) waiting() int {
	if g == nil {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pending
}
