package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// Watch follows the queue of a name: it yields the queue as Holders returns
// it, at once and then whenever it has changed. Changes in quick succession
// may come as one. It survives compaction, changes of etcd's leader and times
// without one, and goes on until the loop breaks off or ctx or the Locker
// ends, which is the error that it yields last.
//
// Errors, always last: ErrInvalid, ErrClosed, ErrRefused, ErrUnavailable if the
// client was closed, or those of ctx.
func (l *Locker) Watch(ctx context.Context, name string) iter.Seq2[[]Holder, error] {
	return func(yield func([]Holder, error) bool) {
		doing := fmt.Sprintf("watching the holders of %q", name)
		if ctx == nil {
			yield(nil, invalid(doing, "nil context"))
			return
		}
		if _, err := l.checkNames(doing, []string{name}); err != nil {
			yield(nil, err)
			return
		}
		wctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(l.closing, cancel)()
		var last []Holder
		first, stopped := true, false
		err := l.queues.Watch(wctx, name, func(ctx context.Context) (bool, error) {
			now, err := l.Holders(ctx, name)
			if err != nil || !first && slices.Equal(now, last) {
				return false, err
			}
			first, last = false, now
			stopped = !yield(slices.Clone(now), nil)
			return stopped, nil
		})
		switch {
		case stopped:
		case ctx.Err() != nil:
			yield(nil, fmt.Errorf("etcdlock: %s: %w", doing, contextError(ctx)))
		case l.closing.Err() != nil:
			yield(nil, fmt.Errorf("etcdlock: %s: %w", doing, ErrClosed))
		case errors.Is(err, ErrUnavailable), errors.Is(err, ErrRefused):
			yield(nil, err)
		default:
			yield(nil, fmt.Errorf("etcdlock: %s: %w", doing, session.Unserved(err)))
		}
	}
}

// Evict removes a place from a queue by force: that of a holder, whose
// context then ends with ErrLost, or that of a waiter, whose Lock fails with
// it. It is for operators; nothing keeps the holder's work from going on until
// it notices. h is what Holders, List or Watch returned: exactly that place is
// removed, never one that was taken since. Other locks on the same lease stay.
// It is no error if the place is gone already.
//
// Errors: ErrInvalid for a Holder of another namespace, ErrClosed, ErrRefused,
// ErrUnavailable if etcd did not confirm, or those of ctx.
func (l *Locker) Evict(ctx context.Context, h Holder) error {
	doing := fmt.Sprintf("evicting %s from %q", h, h.Name)
	if ctx == nil {
		return invalid(doing, "nil context")
	}
	if _, err := l.checkNames(doing, []string{h.Name}); err != nil {
		return err
	}
	if !queue.InQueue(l.Path(h.Name), h.Key) || h.Revision <= 0 {
		return invalid(doing, "key %q with revision %d is no place in that queue", h.Key, h.Revision)
	}
	return l.query(ctx, doing, func() error { return l.queues.Remove(ctx, h.Key, h.Revision) })
}
