package lockedrepo

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Repository is a repository whose writes hold the lock of their entity type
// across all processes that use the same etcd and the same key. It may be used
// concurrently.
//
// It forwards every method by hand and embeds nothing, so that no write that
// is added to the contract later can slip past the lock.
type Repository[T any] struct {
	inner repo.Repository[T]
	key   string
	// whole has the locks of all entities. Its calls are saved together where the type has
	// one lock; striping is nil then.
	whole    *lockset[T]
	striping *striping[T]
	grouping driver.Grouping
}

// New wraps inner. It does no I/O. ErrInvalid for a nil argument, a bad option,
// a key that the locker cannot lock or a fence cannot keep, or an entity type
// whose name cannot be a key while Options name none; ErrUnsupported for a repository that enforces no
// fence (see driver.Fencer), unless Options.Unfenced says that this is meant.
func New[T any](inner repo.Repository[T], locker *etcdlock.Locker, opts *Options) (*Repository[T], error) {
	o, err := opts.withDefaults()
	if err == nil {
		err = check(inner, locker, &o)
	}
	if err != nil {
		return nil, fmt.Errorf("lockedrepo: new: %w", err)
	}
	r := &Repository[T]{inner: inner, key: o.guard(), whole: &lockset[T]{member: newMember(inner, locker, o)}}
	_, r.grouping = grouping(inner, o)
	if r.striping, err = newStriping(inner, r.whole.member, o); err != nil {
		return nil, fmt.Errorf("lockedrepo: new: %w", err)
	}
	if r.striping == nil {
		r.whole.group = newGroup(inner, r.whole.member, o)
		r.whole.queues = r.whole.group.close
		return r, nil
	}
	r.whole.stripes = r.striping.all()
	r.whole.queues = func() { closeAll(r.striping.locksets) }
	return r, nil
}

// check refuses what cannot be locked, and completes the options.
func check[T any](inner repo.Repository[T], locker *etcdlock.Locker, o *Options) (err error) {
	if v := reflect.ValueOf(inner); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return fmt.Errorf("%w: nil repository", repo.ErrInvalid)
	}
	if locker == nil {
		return fmt.Errorf("%w: nil locker: make one by etcdlock.New, in tests by locktest.NewLocal", repo.ErrInvalid)
	}
	if t := reflect.TypeFor[T](); t.Kind() == reflect.Pointer {
		return fmt.Errorf("%w: entity type %s is a pointer; name the type it points to", repo.ErrInvalid, t)
	}
	if o.Key == "" {
		if o.Key, err = keyOf[T](); err != nil {
			return err
		}
	}
	if !o.Unfenced {
		if fencer, ok := repo.As[driver.Fencer](inner); !ok || fencer.FenceMode() == driver.FenceNone {
			return fmt.Errorf("%w: %T enforces no fence, so a holder that was paused could overwrite what newer ones saved; "+
				"set Options.Unfenced where that is meant", repo.ErrUnsupported, inner)
		}
	}
	return o.checkKeys(locker)
}

// Key returns the name of the lock, for use with the Locker: to do several calls
// under one hold, lock it and pass the hold's context to the repository.
// While the key is being renamed, lock all [Repository.Keys] instead. With
// Options.Stripes it is the name of the set of stripes, for MoveGuard, such as order%16.
// No lock has that name: lock Keys or [Repository.KeysOf].
func (r *Repository[T]) Key() string { return r.key }

// Keys returns the names of all locks of the type, sorted: Key alone, with
// Options.Stripes those of all stripes, and with Options.FormerKey that one too.
func (r *Repository[T]) Keys() []string { return slices.Clone(r.whole.keys) }

// Pending returns how many calls of Save, SaveAll and Update in this process have no
// answer yet. It is a figure to watch: when it grows, the lock is what calls wait for.
// With Options.Separate, and for a repository that is no driver.GroupSaver, it is zero.
func (r *Repository[T]) Pending() int {
	if r.striping == nil {
		return r.whole.group.waiting()
	}
	return lo.SumBy(r.striping.locksets, func(l *lockset[T]) int { return l.group.waiting() })
}

// Grouping says in words for people how calls of Save and SaveAll that wait for the lock in
// this process are written: together, and by what, or each by itself, and why. Options,
// hooks, versions and associations of the type decide that; see the package's Group commit.
func (r *Repository[T]) Grouping() string {
	text := "each call is written by itself"
	if r.grouping.How != "" {
		text = "calls that wait are written by " + r.grouping.How
	}
	if r.grouping.Why != "" {
		text += ": " + r.grouping.Why
	}
	return text
}

// Save does what repo.Repository says while it holds the lock.
func (r *Repository[T]) Save(ctx context.Context, e *T) error {
	if e == nil {
		return fmt.Errorf("lockedrepo: save: %w: nil entity", repo.ErrInvalid)
	}
	return r.save(ctx, saving, []*T{e}, func(ctx context.Context) error { return r.inner.Save(ctx, e) })
}

// SaveAll does what repo.Repository says while it holds the lock. For no
// elements it takes none.
func (r *Repository[T]) SaveAll(ctx context.Context, es []*T) error {
	if err := driver.CheckEntities(es); err != nil {
		return fmt.Errorf("lockedrepo: save all: %w", err)
	}
	if len(es) == 0 {
		return r.inner.SaveAll(ctx, es)
	}
	return r.save(ctx, "save all", es, func(ctx context.Context) error { return r.inner.SaveAll(ctx, es) })
}

// saving is what Save does, in its errors.
const saving = "save"

// save saves by itself, or with what else waits for the lock.
func (r *Repository[T]) save(ctx context.Context, doing string, es []*T, save func(context.Context) error) error {
	l := r.locksetOf(ctx, es)
	if l.group.joins(ctx, len(es)) {
		return l.group.save(ctx, doing, es, save)
	}
	return l.locked(ctx, doing, save)
}

// Update reads the entity with the id, calls fn with it and saves it, all while
// it holds the lock: what fn sees is what all earlier holders have saved. It
// returns the saved entity, or ErrNotFound, or fn's error with nothing written.
// fn may run more than once. It must not use the database itself: entities of the
// same type would wait for their own lock until etcdlock.ErrTimeout, and others for
// the connection or the writer of the database that fn's transaction has, until
// ErrBusy. To write more than one entity use InTx.
func (r *Repository[T]) Update(ctx context.Context, id any, fn func(*T) error) (*T, error) {
	if fn == nil {
		return nil, fmt.Errorf("lockedrepo: update: %w: nil function", repo.ErrInvalid)
	}
	if r.striping == nil || r.striping.of == nil {
		return r.update(ctx, r.locksetOfIDs(ctx, id), id, fn)
	}
	l := r.route(ctx, id)
	e, err := r.update(ctx, l, id, r.striping.keeping(l.stripes, fn))
	if errors.Is(err, errOtherStripe) { // another entity has the id by now
		return r.update(ctx, r.whole, id, r.striping.keeping(r.whole.stripes, fn))
	}
	return e, err
}

func (r *Repository[T]) update(ctx context.Context, l *lockset[T], id any, fn func(*T) error) (*T, error) {
	if l.group.joins(ctx, 1) && l.group.updater != nil {
		return l.group.update(ctx, id, fn)
	}
	updater, ok := repo.As[repo.Updater[T]](r.inner)
	return lockedValue(ctx, l.member, "update", func(ctx context.Context) (*T, error) {
		if ok {
			return updater.Update(ctx, id, fn)
		}
		e, err := r.inner.FindByID(ctx, id)
		if err != nil {
			return nil, err
		}
		if err := fn(e); err != nil {
			return nil, err
		}
		return e, r.inner.Save(ctx, e)
	})
}

// Delete does what repo.Repository says while it holds the lock. For no
// entities it takes none.
func (r *Repository[T]) Delete(ctx context.Context, es ...*T) error {
	if err := driver.CheckEntities(es); err != nil {
		return fmt.Errorf("lockedrepo: delete: %w", err)
	}
	if len(es) == 0 {
		return r.inner.Delete(ctx)
	}
	return r.locksetOf(ctx, es).locked(ctx, "delete", func(ctx context.Context) error { return r.inner.Delete(ctx, es...) })
}

// DeleteByID does what repo.Repository says while it holds the lock.
func (r *Repository[T]) DeleteByID(ctx context.Context, id any) error {
	return r.locksetOfIDs(ctx, id).locked(ctx, "delete by id", func(ctx context.Context) error { return r.inner.DeleteByID(ctx, id) })
}

// DeleteAllByID does what repo.Repository says while it holds the lock. For no
// ids it takes none.
func (r *Repository[T]) DeleteAllByID(ctx context.Context, ids []any) (int64, error) {
	if len(ids) == 0 {
		return r.inner.DeleteAllByID(ctx, ids)
	}
	return lockedValue(ctx, r.locksetOfIDs(ctx, ids...).member, "delete all by id", func(ctx context.Context) (int64, error) { return r.inner.DeleteAllByID(ctx, ids) })
}

// FindByID does what repo.Repository says. It takes no lock, but under a context
// that holds the key, and in a transaction of InTx, it belongs to what the lock
// protects.
func (r *Repository[T]) FindByID(ctx context.Context, id any) (*T, error) {
	l := r.readLockset(ctx, id)
	return readValue(ctx, l.member, "find by id", func(ctx context.Context) (*T, error) {
		e, err := r.inner.FindByID(ctx, id)
		if err != nil {
			return nil, err
		}
		return e, r.striping.among(ctx, l, []*T{e})
	})
}

// FindAllByID locks under the same conditions as FindByID.
func (r *Repository[T]) FindAllByID(ctx context.Context, ids []any) ([]*T, error) {
	l := r.readLockset(ctx, ids...)
	return readValue(ctx, l.member, "find all by id", func(ctx context.Context) ([]*T, error) {
		es, err := r.inner.FindAllByID(ctx, ids)
		if err != nil {
			return nil, err
		}
		return es, r.striping.among(ctx, l, es)
	})
}

// ExistsByID locks under the same conditions as FindByID.
func (r *Repository[T]) ExistsByID(ctx context.Context, id any) (bool, error) {
	return readValue(ctx, r.readLockset(ctx, id).member, "exists by id", func(ctx context.Context) (bool, error) { return r.inner.ExistsByID(ctx, id) })
}

// Find locks under the same conditions as FindByID. Where the store fences documents
// one by one, as MongoDB does outside of transactions, what it finds is not protected. With
// Options.Stripes it is ErrStripes unless all stripes are held then.
func (r *Repository[T]) Find(ctx context.Context, q ...repo.Option) ([]*T, error) {
	return readValue(ctx, r.whole.member, "find", func(ctx context.Context) ([]*T, error) { return r.inner.Find(ctx, q...) })
}

// Count locks under the same conditions as Find.
func (r *Repository[T]) Count(ctx context.Context, q ...repo.Option) (int64, error) {
	return readValue(ctx, r.whole.member, "count", func(ctx context.Context) (int64, error) { return r.inner.Count(ctx, q...) })
}

// TxState says which transaction a call with ctx would become part of.
func (r *Repository[T]) TxState(ctx context.Context) driver.TxState { return r.whole.txState(ctx) }

// lockedValue is locked for work that returns something.
func lockedValue[V any](ctx context.Context, m *member, doing string, work func(context.Context) (V, error)) (V, error) {
	var v V
	err := m.locked(ctx, doing, func(ctx context.Context) error {
		var err error
		v, err = work(ctx)
		return err
	})
	if err != nil && !errors.Is(err, ErrRelease) {
		var none V
		return none, err
	}
	return v, err
}
