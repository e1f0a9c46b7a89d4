package lockedrepo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/lockedrepo"
)

// oldLocks stand for the locks that a service had before etcd.
type oldLocks struct {
	mu     sync.Mutex
	places map[string]chan struct{}
	held   map[string]*oldLock
	events []string
	// note is called before a lock is asked for and before it is given back.
	note func(event string)
	// waiting gets a value when a call finds its lock taken.
	waiting chan struct{}
	// refuses is what Lock returns, sticks what Unlock returns.
	refuses, sticks error
}

func newOldLocks() *oldLocks {
	return &oldLocks{places: map[string]chan struct{}{}, held: map[string]*oldLock{}, waiting: make(chan struct{}, 1000)}
}

type oldLock struct {
	of   *oldLocks
	name string
	ctx  context.Context //nolint:containedctx // it is what Context returns
	end  context.CancelCauseFunc
}

func (o *oldLocks) place(name string) chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.places[name] == nil {
		o.places[name] = make(chan struct{}, 1)
	}
	return o.places[name]
}

func (o *oldLocks) add(event string) {
	if o.note != nil {
		o.note(event)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, event)
}

func (o *oldLocks) Lock(ctx context.Context, name string) (lockedrepo.OtherLock, error) {
	o.add("lock " + name)
	if o.refuses != nil {
		return nil, o.refuses
	}
	place := o.place(name)
	select {
	case place <- struct{}{}:
	default:
		o.waiting <- struct{}{}
		select {
		case place <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("old: %w", ctx.Err())
		}
	}
	l := &oldLock{of: o, name: name}
	l.ctx, l.end = context.WithCancelCause(context.Background())
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held[name] = l
	return l, nil
}

func (l *oldLock) Context() context.Context { return l.ctx }

func (l *oldLock) Unlock(context.Context) error {
	l.of.add("unlock " + l.name)
	l.end(errors.New("given back"))
	<-l.of.place(l.name)
	return l.of.sticks
}

// lose has a lock expire, as far as its holder can tell.
func (o *oldLocks) lose(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held[name].end(errExpired)
}

var errExpired = errors.New("expired")

func (o *oldLocks) isHeld(name string) bool { return len(o.place(name)) > 0 }

// told returns the events since the last call.
func (o *oldLocks) told() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer func() { o.events = nil }()
	return o.events
}

func (o *oldLocks) want(t *testing.T, events ...string) {
	t.Helper()
	if told := o.told(); !slices.Equal(told, events) {
		t.Errorf("the old locks saw %q, want %q", told, events)
	}
}

// also is one lock of a repository.
func (o *oldLocks) also(name string) lockedrepo.Also {
	return lockedrepo.Also{Locker: o, Name: name}
}

// withOld makes the repository of a bundle again, with locks of the old system.
func (b *bundle) withOld(t *testing.T, o lockedrepo.Options, also ...lockedrepo.Also) *lockedrepo.Repository[order] {
	t.Helper()
	o.Key, o.Also = key, also
	if o.LockTimeout == 0 {
		o.LockTimeout = 20 * time.Second
	}
	r, err := lockedrepo.New[order](b.inner, b.locker, &o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// stored wants an order to be there, or not.
func (b *bundle) stored(t *testing.T, id string, want bool) {
	t.Helper()
	if is, err := b.inner.ExistsByID(t.Context(), id); err != nil || is != want {
		t.Errorf("order %s is stored: %v, %v; want %v", id, is, err, want)
	}
}

// isFree wants the lock in etcd and the old ones to be free.
func (b *bundle) isFree(t *testing.T, old *oldLocks, names ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	hold, err := b.other.Lock(ctx, key)
	if err != nil {
		t.Fatalf("the lock in etcd: %v", err)
	}
	if err := hold.Unlock(ctx); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if old.isHeld(name) {
			t.Errorf("the old lock %q was not given back", name)
		}
	}
}

// lock takes an old lock as another process does.
func (o *oldLocks) lock(t *testing.T, name string) lockedrepo.OtherLock {
	t.Helper()
	l, err := o.Lock(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	o.told()
	return l
}

func save(r *lockedrepo.Repository[order]) func(ctx context.Context) error {
	return func(ctx context.Context) error { return r.Save(ctx, &order{ID: "2"}) }
}
