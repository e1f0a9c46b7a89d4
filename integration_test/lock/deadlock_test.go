package lock_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
)

const sharedNames = 6

// rooms notice two who are in the room of one name.
type rooms [sharedNames]room

func (r *rooms) visit(set []int, stay func()) {
	if len(set) == 0 {
		stay()
		return
	}
	r[set[0]].visit(func() { r.visit(set[1:], stay) })
}

// someNames draws up to three of the names, in any order.
func someNames() (set []int, names []string) {
	set = rand.Perm(sharedNames)[:1+rand.IntN(3)]
	for _, n := range set {
		names = append(names, nameOf(n))
	}
	return set, names
}

func nameOf(n int) string { return "n" + strconv.Itoa(n) }

// visitSets has three processes take overlapping sets of names, each named in
// an order of its own. All finish, and no two meet.
func visitSets(t *testing.T, site faultSite, sets int, opts *etcdlock.Options, visit func(ctx context.Context, l *etcdlock.Locker, r *rooms) error) {
	t.Helper()
	const lockers, goroutines = 3, 4
	rounds := sets/(lockers*goroutines) + 1
	ctx := check.Bounded(t, 15*time.Minute)
	f := site.fleet(t)
	var r rooms
	var wg sync.WaitGroup
	for range lockers {
		l := f.LockerOn(site.client(t, nil), opts)
		for range goroutines {
			wg.Go(func() {
				for range rounds {
					if err := visit(ctx, l, &r); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	for i := range r {
		if n := r[i].overlaps.Load(); n > 0 {
			t.Errorf("%d times two held n%d", n, i)
		}
		if r[i].visits.Load() == 0 {
			t.Errorf("nobody ever held n%d: the test proves too little", i)
		}
	}
}

func lockSome(ctx context.Context, l *etcdlock.Locker, r *rooms) error {
	set, names := someNames()
	k, err := l.Lock(ctx, names...)
	if err != nil {
		return err
	}
	r.visit(set, func() {})
	return k.Unlock(ctx)
}

// Overlapping sets do not deadlock, whether holds leave at once, stay for a
// moment, or for as long as nobody else wants them.
func TestLockDeadlock_Sets(t *testing.T) {
	t.Parallel()
	for _, site := range faultSites(t) {
		for name, linger := range map[string]time.Duration{
			"NoLinger": etcdlock.NoLinger, "Linger": 0, "LingerLong": time.Hour,
		} {
			t.Run(site.name+name, func(t *testing.T) {
				t.Parallel()
				visitSets(t, site, scale.FullUnraced(20_000), &etcdlock.Options{Linger: linger}, lockSome)
			})
		}
	}
}

// Nor do they when some of the names are held already: one that sorts before
// them is waited for, and where that would never end, the caller is told to give up
// what it holds and to try again, in the end with all names up front.
func TestLockDeadlock_Nested(t *testing.T) {
	t.Parallel()
	for _, site := range faultSites(t) {
		t.Run(site.name, func(t *testing.T) {
			t.Parallel()
			nestSets(t, site)
		})
	}
}

func nestSets(t *testing.T, site faultSite) {
	t.Helper()
	var nested, refused, upFront atomic.Int64
	opts := &etcdlock.Options{DeadlockTimeout: 10 * time.Millisecond}
	visitSets(t, site, scale.FullUnraced(8_000), opts, func(ctx context.Context, l *etcdlock.Locker, r *rooms) error {
		outerSet, outer := someNames()
		innerSet, inner := someNames()
		more := slices.DeleteFunc(innerSet, func(n int) bool { return slices.Contains(outerSet, n) })
		for try := 0; ; try++ {
			if try == 3 {
				for _, n := range more {
					outer = append(outer, nameOf(n))
				}
				outerSet, more = append(outerSet, more...), nil
				upFront.Add(1)
			}
			k, err := l.Lock(ctx, outer...)
			if err != nil {
				return err
			}
			r.visit(outerSet, func() {
				var in *etcdlock.Lock
				if in, err = l.Lock(k.Context(), inner...); err == nil {
					r.visit(more, func() { nested.Add(1) })
					err = in.Unlock(ctx)
				}
			})
			again := errors.Is(err, etcdlock.ErrOrder)
			if again {
				refused.Add(1)
				err = nil
			}
			if err := errors.Join(err, k.Unlock(ctx)); err != nil || !again {
				return err
			}
		}
	})
	t.Logf("%d nested calls, %d refused, %d in the end with all names up front", nested.Load(), refused.Load(), upFront.Load())
	if refused.Load() == 0 || upFront.Load() == nested.Load() {
		t.Error("too few calls met ErrOrder or were nested: the test proves nothing")
	}
}
