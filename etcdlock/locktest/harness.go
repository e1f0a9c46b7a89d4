package locktest

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
)

// T is the part of [testing.T] that a [Case] needs. It is an interface so that a
// test can watch a case fail.
type T interface {
	TB
	Context() context.Context
	Logf(format string, args ...any)
	Skipf(format string, args ...any)
}

// Locker is what is tested: the locks of one process. Errors match the sentinels
// of package etcdlock. [Adapt] makes one of an *etcdlock.Locker.
type Locker interface {
	// Lock takes all names, waiting until ctx ends.
	Lock(ctx context.Context, names ...string) (Lock, error)
	// TryLock takes all names or fails with ErrHeld without waiting.
	TryLock(ctx context.Context, names ...string) (Lock, error)
	// Close refuses new locks, ends waits with ErrClosed, waits for holds until
	// ctx ends, then takes them away.
	Close(ctx context.Context) error
}

// Lock is one or more names held.
type Lock interface {
	// Context ends with the hold; its cause says why.
	Context() context.Context
	// Token grows from hold to hold of one name; 0 for several names. A Lock that
	// has a method Turn() int64, or FencingToken as an *etcdlock.Lock has it, may have
	// the token of the one before it in the same process; the turn then grows.
	Token() int64
	// TokenOf is the token of one of the names.
	TokenOf(name string) (int64, bool)
	// Unlock gives the names back, whatever ctx is like.
	Unlock(ctx context.Context) error
}

// Harness is how the suite gets at an implementation. A case that needs a
// feature which is not claimed skips and says so.
type Harness struct {
	// New returns a Locker as another process of the fleet would have it: all
	// Lockers of one Harness exclude one another. The suite closes it. Required.
	New func() Locker
	// Break ends the hold of name behind the holder's back, as the end of its
	// lease does. Required with Features.LossNotice.
	Break func(ctx context.Context, name string) error
	// Queue counts who holds name and who waits for it, of each Locker at least
	// one. Required with Features.Fair.
	Queue func(ctx context.Context, name string) (int, error)
	// Leftovers lists what closed Lockers have left in the store. Required with
	// Features.Clean.
	Leftovers func(ctx context.Context) ([]string, error)

	Features Features

	// Patience is how long the suite waits for what must happen before it calls
	// it a failure. Zero means 20 s: only a failing case lasts that long.
	Patience time.Duration
}

func (h Harness) patience() time.Duration {
	if h.Patience == 0 {
		return defaultPatience
	}
	return h.Patience
}

// Features are what an implementation promises beyond mutual exclusion, waiting
// that ends with its context, and closing.
type Features struct {
	Fair       bool // Lockers that wait get their turn in the order in which they came
	LossNotice bool // a hold that is broken ends its context with ErrLost
	Tokens     bool // tokens grow from hold to hold
	Several    bool // one call takes several names
	Nested     bool // the context of a hold may take its name again; deadlocks end with ErrOrder
	AnyName    bool // names may have any characters, slashes too
	Clean      bool // closed Lockers leave nothing in the store
}

// AllFeatures claims everything, as an *etcdlock.Locker may.
func AllFeatures() Features {
	return Features{Fair: true, LossNotice: true, Tokens: true, Several: true, Nested: true, AnyName: true, Clean: true}
}

// Adapt makes a [Locker] of an *etcdlock.Locker.
func Adapt(l *etcdlock.Locker) Locker { return adapted{l} }

type adapted struct{ l *etcdlock.Locker }

func (a adapted) Lock(ctx context.Context, names ...string) (Lock, error) {
	return adaptLock(a.l.Lock(ctx, names...))
}

func (a adapted) TryLock(ctx context.Context, names ...string) (Lock, error) {
	return adaptLock(a.l.TryLock(ctx, names...))
}

func (a adapted) Close(ctx context.Context) error { return a.l.Close(ctx) }

// adaptLock keeps a nil *etcdlock.Lock from becoming a Lock that is not nil.
func adaptLock(k *etcdlock.Lock, err error) (Lock, error) {
	if k == nil {
		return nil, err
	}
	return k, err
}
