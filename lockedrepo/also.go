package lockedrepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/repo"
)

// Also is a lock of another system. Every hold of a repository takes it after that of etcd;
// see [Options].
type Also struct {
	// Locker takes the lock. Give repositories whose old lock is one and the same
	// the same Locker: a transaction over them takes it once.
	Locker OtherLocker
	// Name is what the other system calls the lock. It is not divided by
	// Options.Stripes. The default is Options.Key.
	Name string
}

// OtherLocker takes locks that pods without etcd take, too. Its type must be
// comparable, as a pointer is. It may be used concurrently. The packages alsoredis and
// alsoshedlock have two.
type OtherLocker interface {
	// Lock waits for the lock of the name until ctx ends, and keeps it alive from then
	// on, whatever becomes of ctx. It is not reentrant. On an error the lock is not
	// held, or is free by itself after a while. The error is that of ctx, or matches
	// etcdlock.ErrUnavailable or ErrRefused; any other is taken for
	// etcdlock.ErrUnavailable.
	Lock(ctx context.Context, name string) (OtherLock, error)
}

// OtherLock is a lock that an [OtherLocker] has taken. It may be used concurrently.
type OtherLock interface {
	// Context ends when it can no longer be proved that the lock is held, and with
	// Unlock. Its cause says why.
	Context() context.Context
	// Unlock gives the lock back, and waits no longer than ctx. The error says that it
	// was not held any more, or that this is unknown.
	Unlock(ctx context.Context) error
}

// checkAlso refuses what cannot be locked, and completes the options.
func (o *Options) checkAlso() error {
	also := slices.Clone(o.Also)
	for i, a := range also {
		switch v := reflect.ValueOf(a.Locker); {
		case !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil():
			return fmt.Errorf("%w: Options.Also[%d] has no Locker", repo.ErrInvalid, i)
		case !v.Comparable():
			return fmt.Errorf("%w: the Locker of Options.Also[%d], a %T, cannot be compared", repo.ErrInvalid, i, a.Locker)
		}
		also[i].Name = cmp.Or(a.Name, o.Key)
	}
	o.Also = sortedAlso(also)
	return nil
}

// sortedAlso has every lock once, in the order in which they are taken.
func sortedAlso(also []Also) []Also {
	also = lo.Uniq(also)
	slices.SortStableFunc(also, func(a, b Also) int { return cmp.Compare(a.Name, b.Name) })
	return also
}

// lost is the error of work whose other lock has ended, or nil.
func (o otherHold) lost() error {
	ctx := o.lock.Context()
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("%w: the lock %q of Options.Also: %w", etcdlock.ErrLost, o.Name, context.Cause(ctx))
}

// unlock gives the lock back. The error says, too, that it was lost before.
func (o otherHold) unlock(ctx context.Context) error {
	lost := o.lost()
	err := o.lock.Unlock(ctx)
	if err != nil {
		err = o.failed(err)
	}
	return errors.Join(lost, err)
}

// notTaken says why a lock was not had.
func (a Also) notTaken(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, etcdlock.ErrUnavailable) {
		err = gaveUp(ctx)
	}
	return a.failed(err)
}

func (a Also) failed(err error) error {
	told := []error{
		etcdlock.ErrTimeout, etcdlock.ErrLost, etcdlock.ErrUnavailable, etcdlock.ErrRefused, context.Canceled, context.DeadlineExceeded,
	}
	if !slices.ContainsFunc(told, func(kind error) bool { return errors.Is(err, kind) }) {
		err = fmt.Errorf("%w: %w", etcdlock.ErrUnavailable, err)
	}
	return fmt.Errorf("the lock %q of Options.Also: %w", a.Name, err)
}

type othersKey struct{}

// carriedOthers are the locks of Options.Also that ctx holds, or held.
func carriedOthers(ctx context.Context) []otherHold {
	others, _ := ctx.Value(othersKey{}).([]otherHold)
	return others
}

// carrying returns a context that holds others, too.
func carrying(ctx context.Context, others []otherHold) context.Context {
	if len(others) == 0 {
		return ctx
	}
	return context.WithValue(ctx, othersKey{}, slices.Concat(carriedOthers(ctx), others))
}

func hasOthers(held []otherHold, also []Also) bool {
	return lo.EveryBy(also, func(a Also) bool {
		return slices.ContainsFunc(held, func(o otherHold) bool { return o.Also == a })
	})
}
