package fencing

import "context"

// Locker is an *etcdlock.Locker.
type Locker interface {
	// Holding reports whether ctx carries a hold of the name, be it over or not:
	// Lock with ctx then returns a nested Lock, or ErrLost, and asks etcd nothing.
	Holding(ctx context.Context, name string) bool
	// HoldsAny reports whether ctx carries a Lock of any name. A call of Lock under it
	// is nested, and follows the order rule.
	HoldsAny(ctx context.Context) bool
	// Revision asks etcd for its current revision, which is no lower than the token
	// of any lock that was ever taken there, unless etcd was restored from a backup
	// or made again since.
	//
	// Errors: ErrRefused, ErrUnavailable, ErrClosed, or those of ctx.
	Revision(ctx context.Context) (int64, error)
}

// Lock is an *etcdlock.Lock.
type Lock interface {
	// Attempt waits until no other attempt under the same hold is open, and opens
	// one. Goroutines that share a hold exclude one another for as long as their
	// attempts last, so that a store that checks claims is shown them in order.
	// Close it.
	//
	// Errors: ErrLost when the hold has ended, ErrTimeout with
	// context.DeadlineExceeded when ctx ended first, or context.Canceled.
	Attempt(ctx context.Context) (Attempt, error)
	// Retire keeps everybody else from using the holds that the Lock was given:
	// Unlock then neither hands them on nor lets them linger, and the next Lock of
	// such a name has a new token. It is for a holder that a store has told that its
	// token is not good.
	Retire()
}

// Attempt is the right to one transaction with what a Lock protects.
type Attempt interface {
	// Claims returns a claim for each name of the Lock, sorted by name. Each call
	// draws the next number: call it once for every try at a transaction.
	Claims() []Claim
	// Close ends the attempt and lets the next one begin. A second call does
	// nothing.
	Close()
}

// Claim is the fencing token of one of an Attempt's names: the fields of an
// etcdlock.FencingToken.
type Claim struct {
	Name     string
	Revision int64
	Owner    string
	Turn     int64
	Attempt  int64
}

// Provider makes these of what package etcdlock exports.
type Provider struct {
	Locker func(locker any) Locker
	Lock   func(lock any) Lock
}

var provider Provider //nolint:gochecknoglobals // set once, when package etcdlock is loaded

// Provide sets the Provider. Package etcdlock calls it.
func Provide(p Provider) bool {
	provider = p
	return true
}

// OfLocker returns an *etcdlock.Locker as a Locker.
func OfLocker(locker any) Locker { return provider.Locker(locker) }

// OfLock returns an *etcdlock.Lock as a Lock.
func OfLock(lock any) Lock { return provider.Lock(lock) }
