package lockedrepo

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/repo"
)

// Repository is a repository whose writes hold the lock of their entity type
// across all processes that use the same etcd and the same key. It may be used
// concurrently.
//
// It forwards every method by hand and embeds nothing, so that no write that
// is added to the contract later can slip past the lock.
type Repository[T any] struct {
	inner   repo.Repository[T]
	locker  *etcdlock.Locker
	key     string
	timeout time.Duration
	// unfenced: the store is shown no claims.
	unfenced bool
}

// New wraps inner. It does no I/O. ErrInvalid for a nil argument, a bad option,
// a key that the locker cannot lock or a fence cannot keep, or an entity type whose name cannot be a
// key while Options name none; ErrUnsupported for a repository that enforces no
// fence (see repo.Fencer), unless Options.Unfenced says that this is meant.
func New[T any](inner repo.Repository[T], locker *etcdlock.Locker, opts *Options) (*Repository[T], error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if v := reflect.ValueOf(inner); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, fmt.Errorf("lockedrepo: %w: nil repository", repo.ErrInvalid)
	}
	if locker == nil {
		return nil, fmt.Errorf("lockedrepo: %w: nil locker", repo.ErrInvalid)
	}
	if t := reflect.TypeFor[T](); t.Kind() == reflect.Pointer {
		return nil, fmt.Errorf("%w: entity type %s is a pointer; name the type it points to", repo.ErrInvalid, t)
	}
	if o.Key == "" {
		if o.Key, err = KeyOf[T](); err != nil {
			return nil, err
		}
	}
	if err := locker.CheckName(o.Key); err != nil {
		return nil, fmt.Errorf("%w: lock key: %w; set another Options.Key", repo.ErrInvalid, err)
	}
	if !o.Unfenced {
		if fencer, ok := repo.As[repo.Fencer](inner); !ok || fencer.FenceMode() == repo.FenceNone {
			return nil, fmt.Errorf("%w: %T enforces no fence, so a holder that was paused could overwrite what newer ones saved; "+
				"set Options.Unfenced where that is meant", repo.ErrUnsupported, inner)
		}
		if err := checkFenceKey(o.Key); err != nil {
			return nil, err
		}
	}
	return &Repository[T]{inner: inner, locker: locker, key: o.Key, timeout: o.LockTimeout, unfenced: o.Unfenced}, nil
}

// Key returns the name of the lock, for use with the Locker: to hold several
// keys at once, lock them all by one call of Lock and pass the hold's context
// to the repositories.
func (r *Repository[T]) Key() string { return r.key }

// Save does what repo.Repository says while it holds the lock.
func (r *Repository[T]) Save(ctx context.Context, e *T) error {
	if e == nil {
		return fmt.Errorf("%w: nil entity", repo.ErrInvalid)
	}
	return r.locked(ctx, func(ctx context.Context) error { return r.inner.Save(ctx, e) })
}

// SaveAll does what repo.Repository says while it holds the lock. For no
// elements it takes none.
func (r *Repository[T]) SaveAll(ctx context.Context, es []*T) error {
	if err := repo.CheckEntities(es); err != nil || len(es) == 0 {
		return err
	}
	return r.locked(ctx, func(ctx context.Context) error { return r.inner.SaveAll(ctx, es) })
}

// SmartSave does what repo.Repository says. It decodes and checks the documents
// first and takes the lock only for a list that is good.
func (r *Repository[T]) SmartSave(ctx context.Context, dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) ([]*T, error) {
	docs, err := repo.Decode[T](dto, opts...)
	if err != nil {
		return nil, err
	}
	saver, ok := repo.As[repo.DocumentSaver[T]](r.inner)
	return lockedValue(r, ctx, func(ctx context.Context) ([]*T, error) {
		if !ok {
			return r.inner.SmartSave(ctx, dto, opts...)
		}
		return saver.SaveDocuments(ctx, docs)
	})
}

// SaveDocuments saves decoded documents while it holds the lock. It returns
// ErrUnsupported when the wrapped repository cannot take decoded documents.
func (r *Repository[T]) SaveDocuments(ctx context.Context, docs *repo.Documents[T]) ([]*T, error) {
	if docs == nil {
		return nil, fmt.Errorf("%w: nil documents", repo.ErrInvalid)
	}
	if len(docs.Entities) == 0 {
		return nil, repo.ErrEmptySave
	}
	saver, ok := repo.As[repo.DocumentSaver[T]](r.inner)
	if !ok {
		return nil, fmt.Errorf("%w: decoded documents", repo.ErrUnsupported)
	}
	return lockedValue(r, ctx, func(ctx context.Context) ([]*T, error) { return saver.SaveDocuments(ctx, docs) })
}

// Update reads the entity with the id, calls fn with it and saves it, all while
// it holds the lock: what fn sees is what all earlier holders have saved. It
// returns the saved entity, or ErrNotFound, or fn's error with nothing written.
// fn may run more than once. It must not write to the database itself: entities
// of the same type would wait for their own lock, and on SQLite any write waits
// for the transaction that fn runs in, until it fails with ErrBusy. To write
// more than one entity use InTx.
func (r *Repository[T]) Update(ctx context.Context, id any, fn func(*T) error) (*T, error) {
	if fn == nil {
		return nil, fmt.Errorf("%w: nil function", repo.ErrInvalid)
	}
	updater, ok := repo.As[repo.Updater[T]](r.inner)
	return lockedValue(r, ctx, func(ctx context.Context) (*T, error) {
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
	if err := repo.CheckEntities(es); err != nil || len(es) == 0 {
		return err
	}
	return r.locked(ctx, func(ctx context.Context) error { return r.inner.Delete(ctx, es...) })
}

// DeleteByID does what repo.Repository says while it holds the lock.
func (r *Repository[T]) DeleteByID(ctx context.Context, id any) error {
	return r.locked(ctx, func(ctx context.Context) error { return r.inner.DeleteByID(ctx, id) })
}

// DeleteAllByID does what repo.Repository says while it holds the lock. For no
// ids it takes none.
func (r *Repository[T]) DeleteAllByID(ctx context.Context, ids []any) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	return lockedValue(r, ctx, func(ctx context.Context) (int64, error) { return r.inner.DeleteAllByID(ctx, ids) })
}

// FindByID does what repo.Repository says. It takes no lock, but under a context
// that holds the key, and in a transaction of InTx, it belongs to what the lock
// protects.
func (r *Repository[T]) FindByID(ctx context.Context, id any) (*T, error) {
	return readValue(r, ctx, func(ctx context.Context) (*T, error) { return r.inner.FindByID(ctx, id) })
}

// FindAllByID is to the lock what FindByID is.
func (r *Repository[T]) FindAllByID(ctx context.Context, ids []any) ([]*T, error) {
	return readValue(r, ctx, func(ctx context.Context) ([]*T, error) { return r.inner.FindAllByID(ctx, ids) })
}

// ExistsByID is to the lock what FindByID is.
func (r *Repository[T]) ExistsByID(ctx context.Context, id any) (bool, error) {
	return readValue(r, ctx, func(ctx context.Context) (bool, error) { return r.inner.ExistsByID(ctx, id) })
}

// Find is to the lock what FindByID is; where the store fences documents one by
// one, as MongoDB does outside of transactions, what it finds is not protected.
func (r *Repository[T]) Find(ctx context.Context, q ...repo.Option) ([]*T, error) {
	return readValue(r, ctx, func(ctx context.Context) ([]*T, error) { return r.inner.Find(ctx, q...) })
}

// Count is to the lock what Find is.
func (r *Repository[T]) Count(ctx context.Context, q ...repo.Option) (int64, error) {
	return readValue(r, ctx, func(ctx context.Context) (int64, error) { return r.inner.Count(ctx, q...) })
}

// TxState says which transaction a call with ctx would become part of.
func (r *Repository[T]) TxState(ctx context.Context) repo.TxState {
	if reporter, ok := repo.As[repo.TxReporter](r.inner); ok {
		return reporter.TxState(ctx)
	}
	if _, ok := repo.TxFrom(ctx); ok {
		return repo.TxForeign
	}
	return repo.TxNone
}

// lockedValue is locked for work that returns something.
//
//nolint:revive // r stands for the receiver, which a generic method cannot have
func lockedValue[T, V any](r *Repository[T], ctx context.Context, work func(context.Context) (V, error)) (V, error) {
	var v V
	err := r.locked(ctx, func(ctx context.Context) error {
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
