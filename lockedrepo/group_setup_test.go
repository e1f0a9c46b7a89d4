package lockedrepo_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// piece is saved by several callers at once. Its names are unique.
type piece struct {
	ID   string
	Name string
	N    int
}

// pieceOf has its id for a name.
func pieceOf(id string) *piece { return &piece{ID: id, Name: id} }

type pieceHookKey struct{}

// pieceHook runs in the store, once for each attempt at a call, with the attempt's context.
type pieceHook func(attempt context.Context) error

func withPieceHook(ctx context.Context, fn pieceHook) context.Context {
	return context.WithValue(ctx, pieceHookKey{}, fn)
}

// groupAttempt is a transaction: what it is for, and the claims that it has shown.
type groupAttempt struct {
	method string
	// calls are the ids of each call.
	calls  []string
	claims []repo.Claim
}

func (a *groupAttempt) String() string { return a.method + " " + strings.Join(a.calls, " ") }

// groupStore is a store in memory that notes its attempts, and has hooks. What a txStore
// has of transactions it has, too.
type groupStore struct {
	txStore[piece]
	// unbounded has a group be as long as it comes.
	unbounded bool
	// late has updates come whatever became of their context.
	late bool
	// asked counts the questions for a transaction.
	asked atomic.Int64

	mu       sync.Mutex
	attempts []*groupAttempt
}

// notingFence notes the claims that the store draws.
type notingFence struct {
	driver.Fence
	note func(drawn []repo.Claim)
}

func (f notingFence) Claims() []repo.Claim {
	drawn := f.Fence.Claims()
	f.note(drawn)
	return drawn
}

// enter begins an attempt. An element whose hook fails is named.
func (s *groupStore) enter(ctx context.Context, method string, calls []context.Context, ids ...string) (context.Context, error) {
	a := &groupAttempt{method: method, calls: ids}
	s.mu.Lock()
	s.attempts = append(s.attempts, a)
	s.mu.Unlock()
	if f, ok := driver.FenceFrom(ctx); ok {
		ctx = driver.WithFence(ctx, notingFence{f, func(drawn []repo.Claim) {
			s.mu.Lock()
			defer s.mu.Unlock()
			a.claims = append(a.claims, drawn...)
		}})
	}
	element := 0
	for i, call := range calls {
		if hook, ok := call.Value(pieceHookKey{}).(pieceHook); ok {
			if err := hook(ctx); err != nil {
				return ctx, &repo.BatchError{Items: []*repo.ItemError{{Index: element, Err: err}}}
			}
		}
		element += 1 + strings.Count(ids[i], ",")
	}
	return outside(ctx), nil
}

func idsOf(es []*piece) string {
	return strings.Join(lo.Map(es, func(e *piece, _ int) string { return e.ID }), ",")
}

func (s *groupStore) Save(ctx context.Context, e *piece) error {
	ctx, err := s.enter(ctx, "Save", []context.Context{ctx}, e.ID)
	if batch, ok := errors.AsType[*repo.BatchError](err); ok {
		return batch.Items[0].Err
	}
	return s.Repository.Save(ctx, e)
}

func (s *groupStore) SaveAll(ctx context.Context, es []*piece) error {
	ctx, err := s.enter(ctx, "SaveAll", []context.Context{ctx}, idsOf(es))
	if err != nil {
		return err
	}
	return s.Repository.SaveAll(ctx, es)
}

func (s *groupStore) Update(ctx context.Context, id any, fn func(*piece) error) (*piece, error) {
	ctx, err := s.enter(ctx, "Update", []context.Context{ctx}, fmt.Sprint(id))
	if batch, ok := errors.AsType[*repo.BatchError](err); ok {
		return nil, batch.Items[0].Err
	}
	return s.Repository.Update(ctx, id, fn)
}

func (s *groupStore) TxState(ctx context.Context) driver.TxState {
	s.asked.Add(1)
	return s.txStore.TxState(ctx)
}

func (s *groupStore) Grouping(repo.Repository[piece]) driver.Grouping {
	return driver.Grouping{How: "one step"}
}

func (s *groupStore) GroupSize(calls []driver.SaveCall[piece]) int {
	if s.unbounded {
		return len(calls)
	}
	return s.Repository.GroupSize(calls)
}

func (s *groupStore) SaveGroup(ctx context.Context, calls []driver.SaveCall[piece]) error {
	values := lo.Map(calls, func(c driver.SaveCall[piece], _ int) context.Context { return c.Context })
	ids := lo.Map(calls, func(c driver.SaveCall[piece], _ int) string { return idsOf(c.Entities) })
	ctx, err := s.enter(ctx, "SaveGroup", values, ids...)
	if err != nil {
		return err
	}
	return s.Repository.SaveGroup(ctx, calls)
}

func (s *groupStore) UpdateGroup(ctx context.Context, calls []*driver.UpdateCall[piece]) error {
	values := lo.Map(calls, func(c *driver.UpdateCall[piece], _ int) context.Context { return c.Context })
	ids := lo.Map(calls, func(c *driver.UpdateCall[piece], _ int) string { return fmt.Sprint(c.ID) })
	ctx, err := s.enter(ctx, "UpdateGroup", values, ids...)
	if err != nil {
		return err
	}
	if s.late {
		ctx = context.WithoutCancel(ctx)
	}
	return s.Repository.UpdateGroup(ctx, calls)
}

// tried returns the attempts as texts.
func (s *groupStore) tried() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return lo.Map(s.attempts, func(a *groupAttempt, _ int) string { return a.String() })
}

// groupSite is a locked repository whose lock another process holds, so that calls pile up.
type groupSite struct {
	*txBundle
	store  *groupStore
	pieces *lockedrepo.Repository[piece]
	holder *etcdlock.Lock
	// answers are those of the calls that have begun.
	answers []chan error
}

const pieceKey = "piece"

// newGroupSite has the pieces stored already.
func newGroupSite(ctx context.Context, t *testing.T, o *etcdlock.Options, stored ...*piece) *groupSite {
	t.Helper()
	b := setupTx(t, time.Minute)
	if o != nil {
		b.locker = newLocker(t, b.cluster, o)
	}
	mem, err := memrepo.New[piece](&memrepo.Options{Unique: [][]string{{"Name"}}})
	if err == nil {
		err = mem.SaveAll(ctx, stored)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &groupSite{txBundle: b, store: &groupStore{txStore: txStore[piece]{mem, b.store, func(context.Context, string) {}}}}
	s.pieces, err = lockedrepo.New[piece](s.store, b.locker, &lockedrepo.Options{Key: pieceKey, LockTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	s.holder = b.hold(t, pieceKey)
	return s
}

func groupContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// await waits until done says so.
func await(ctx context.Context, t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// errExited is the answer of a call that ended its goroutine.
var errExited = errors.New("it exited")

// begin begins a call.
func (s *groupSite) begin(call func() error) {
	answer := make(chan error, 1)
	s.answers = append(s.answers, answer)
	go func() {
		err := errExited
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
			answer <- err
		}()
		err = call()
	}()
}

// pile begins calls one after the other, each when the one before waits for the lock. The
// first call of all waits by itself, and those after it wait together.
func (s *groupSite) pile(ctx context.Context, t *testing.T, calls ...func() error) {
	t.Helper()
	for _, call := range calls {
		n := s.pieces.Pending()
		s.begin(call)
		await(ctx, t, "the call to wait", func() bool { return s.pieces.Pending() == n+1 })
		if n == 0 { // it is pending before it is in line, and a batch could get there first
			awaitQueueOf(t, s.other, pieceKey, 2)
		}
	}
}

// saving returns calls that save pieces, one each.
func (s *groupSite) saving(ctx context.Context, ids ...string) []func() error {
	return lo.Map(ids, func(id string, _ int) func() error {
		return func() error { return s.pieces.Save(ctx, pieceOf(id)) }
	})
}

// updating returns a call that updates a piece.
func (s *groupSite) updating(ctx context.Context, id string, fn func(*piece) error) func() error {
	return func() error { _, err := s.pieces.Update(ctx, id, fn); return err }
}

// counting counts up.
func counting(e *piece) error { e.N++; return nil }

// gate is what work in a store waits at: it tells that it is there, and goes on when the
// test has opened it.
type gate struct{ reached, opened chan struct{} }

func newGate() gate { return gate{make(chan struct{}), make(chan struct{})} }

func (g gate) wait() {
	close(g.reached)
	<-g.opened
}

// run gives the lock back.
func (s *groupSite) run(ctx context.Context, t *testing.T) {
	t.Helper()
	if err := s.holder.Unlock(ctx); err != nil {
		t.Fatal(err)
	}
}

// finish gives the lock back and returns the answers of all calls.
func (s *groupSite) finish(ctx context.Context, t *testing.T) []error {
	t.Helper()
	s.run(ctx, t)
	return s.answered(ctx, t)
}

// answered returns the answers of all calls.
func (s *groupSite) answered(ctx context.Context, t *testing.T) (errs []error) {
	t.Helper()
	for i, answer := range s.answers {
		select {
		case err := <-answer:
			errs = append(errs, err)
		case <-ctx.Done():
			t.Fatalf("call %d has no answer", i)
		}
	}
	return errs
}

// wantAll checks that no call failed.
func wantAll(t *testing.T, errs []error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
}
