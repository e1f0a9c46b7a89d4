package lockedrepo

import (
	"context"
	"errors"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/etcdlock"
)

// hold is what one call has locked: in etcd, and then by Options.Also.
type hold struct {
	lock   *etcdlock.Lock
	others []otherHold
}

// otherHold is a lock of Options.Also.
type otherHold struct {
	Also
	lock OtherLock
	// own tells that the hold took it, and gives it back: its context had it not.
	own bool
}

// lock takes the locks in etcd. What pods with etcd want, only one of them then wants by
// the other locks.
func (x exclusion) lock(ctx context.Context) (*hold, error) {
	lock, err := x.locker.Lock(ctx, x.keys...)
	if err != nil {
		return nil, err
	}
	return &hold{lock: lock}, nil
}

// lockOthers takes the locks of Options.Also that ctx has not got. On an error, and when
// one of the lockers panics, all is given back.
func (x exclusion) lockOthers(ctx context.Context, h *hold) (err error) {
	if len(x.also) == 0 {
		return nil
	}
	complete := false
	defer func() {
		if !complete {
			err = errors.Join(err, release(ctx, h))
		}
	}()
	for _, a := range x.also {
		if err := underHold(ctx, h, func(ctx context.Context) error { return h.lockOther(ctx, a) }); err != nil {
			return err
		}
	}
	complete = true
	return nil
}

// lockOther takes one lock, under all those before it.
func (h *hold) lockOther(ctx context.Context, a Also) error {
	for _, o := range slices.Backward(carriedOthers(ctx)) {
		if o.Also == a {
			o.own = false
			h.others = append(h.others, o)
			return o.lost()
		}
	}
	if ctx.Err() != nil {
		return a.notTaken(ctx, ctx.Err())
	}
	lock, err := a.Locker.Lock(ctx, a.Name)
	if err != nil {
		return a.notTaken(ctx, err)
	}
	h.others = append(h.others, otherHold{Also: a, lock: lock, own: true})
	return nil
}

// bind returns a context for work that all the locks protect; see [etcdlock.Lock.Bind].
func (h *hold) bind(caller context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := h.lock.Bind(caller)
	if len(h.others) == 0 {
		return ctx, cancel
	}
	ctx, end := context.WithCancelCause(carrying(ctx, h.others))
	stops := lo.Map(h.others, func(o otherHold, _ int) func() bool {
		return context.AfterFunc(o.lock.Context(), func() { end(o.lost()) })
	})
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		end(nil)
		cancel()
	}
}

// lost returns why one of the locks is not held any more, or nil.
func (h *hold) lost() error {
	if ctx := h.lock.Context(); ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, o := range h.others {
		if err := o.lost(); err != nil {
			return err
		}
	}
	return nil
}

// hasOthers tells whether the hold has all locks of Options.Also; nil has none.
func (h *hold) hasOthers(also []Also) bool {
	return len(also) == 0 || h != nil && hasOthers(h.others, also)
}

// release gives back what the hold took, the newest lock first. Each is given back on a
// context of its own: the caller's may be done, which is no reason to keep others waiting
// for a lease to expire.
func release(ctx context.Context, h *hold) error {
	var failed []error
	for _, o := range slices.Backward(h.others) {
		if o.own {
			failed = append(failed, unlock(ctx, o.unlock))
		}
	}
	return errors.Join(append(failed, unlock(ctx, h.lock.Unlock))...)
}

func unlock(ctx context.Context, by func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	return by(ctx)
}
