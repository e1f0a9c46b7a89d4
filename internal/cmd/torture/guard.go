package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/samber/lo"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// The designs, from the weakest on.
const (
	noLock     = "no lock"
	shortLease = "one-second lease"
	mutex      = "concurrency.Mutex"
	mutexFence = "Mutex, fence at write"
	handFenced = "Mutex, hand-made fence"
	holdfast   = "Holdfast"
)

// ttl is how long the leases live of every design that renews them.
const ttl = 2 * time.Second

// lockName is what everybody locks, unless their setup says otherwise.
const lockName = "torture.Record"

// change is a read, a change and a write of the records with ids. The function
// may run more than once.
type change struct {
	how  way
	ids  []string
	make func(rs []*Record) error
}

// guard is a design at work in one process.
type guard interface {
	// do reports whether the change was written for certain, which it may be
	// with an error next to it.
	do(ctx context.Context, c change) (written bool, err error)
	close(ctx context.Context) error
}

// openGuard opens a design. lost is told of every hold that is lost.
func openGuard(ctx context.Context, job workerJob, cli *clientv3.Client, b *backend, lost func()) (guard, error) {
	switch job.Design {
	case noLock:
		return bare{b}, nil
	case shortLease:
		return &leaseGuard{bare: bare{b}, cli: cli, prefix: job.Namespace}, nil
	case mutex, mutexFence:
		return &mutexGuard{b, cli, job.Namespace + job.Key, job.Design == mutexFence}, nil
	case handFenced:
		return openHandmade(ctx, job, cli, b)
	case holdfast:
		return openHoldfast(ctx, job, cli, b, lost)
	}
	return nil, fmt.Errorf("there is no design %q", job.Design)
}

func openEtcd(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: endpoints, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
		DialKeepAliveTime: time.Second, DialKeepAliveTimeout: time.Second,
	})
}

// fortress is Holdfast.
type fortress struct {
	locker *etcdlock.Locker
	repo   *lockedrepo.Repository[Record]
	// entries are locked by the same key, and nil on MongoDB.
	entries *lockedrepo.Repository[Entry]
}

func openHoldfast(ctx context.Context, job workerJob, cli *clientv3.Client, b *backend, lost func()) (*fortress, error) {
	if b.db != nil {
		if err := gormrepo.MigrateFence(ctx, b.db); err != nil {
			return nil, err
		}
	}
	l, err := etcdlock.New(cli, &etcdlock.Options{
		Namespace: job.Namespace, TTL: ttl, RequestTimeout: time.Second, Service: fmt.Sprintf("worker %d", job.Index),
		Hooks: &etcdlock.Hooks{Lost: func(string, error) { lost() }},
	})
	if err != nil {
		return nil, err
	}
	opts := lockedrepo.Options{Key: job.Key}
	if n := job.Place.Setup.Stripes; n > 0 {
		opts.Stripes = lockedrepo.ByID(n)
	}
	f := &fortress{locker: l}
	if f.repo, err = lockedrepo.New(b.repo, l, &opts); err == nil && b.entries != nil {
		f.entries, err = lockedrepo.New(b.entries, l, &opts)
	}
	return f, err
}

func (f *fortress) do(ctx context.Context, c change) (written bool, err error) {
	switch c.how {
	case byUpdate:
		_, err = f.repo.Update(ctx, c.ids[0], func(r *Record) error { return c.make([]*Record{r}) })
	case byTx:
		err = f.repo.InTx(ctx, func(ctx context.Context) error {
			_, err := readAndSave(ctx, f.repo, c)
			return err
		})
	default:
		keys, err := f.repo.KeysOf(lo.ToAnySlice(c.ids)...)
		if err != nil {
			return false, err
		}
		err = f.holding(ctx, keys, func(ctx context.Context) (err error) {
			written, err = readAndSave(ctx, f.repo, c)
			return err
		})
		return written, err
	}
	return isWritten(err), err
}

// holding does work under the locks of all keys.
func (f *fortress) holding(ctx context.Context, keys []string, work func(context.Context) error) error {
	if len(keys) == 0 {
		return work(ctx)
	}
	return f.locker.Do(ctx, keys[0], func(ctx context.Context) error { return f.holding(ctx, keys[1:], work) })
}

// isWritten reports whether a write was done, whatever became of its lock.
func isWritten(err error) bool { return err == nil || errors.Is(err, lockedrepo.ErrRelease) }

func (f *fortress) close(ctx context.Context) error { return f.locker.Close(ctx) }

// transactor is a design that has transactions.
type transactor interface {
	// inTx commits when fn returns nil.
	inTx(ctx context.Context, fn func(ctx context.Context, h hands) error) (written bool, err error)
}

// hands are what a callback works with inside its transaction.
type hands interface {
	read(ctx context.Context, id string) (*Record, error)
	write(ctx context.Context, r *Record) error
	// query reads what the conditions say and throws it away.
	query(ctx context.Context, native func(*gorm.DB) *gorm.DB) error
}

func (f *fortress) inTx(ctx context.Context, fn func(ctx context.Context, h hands) error) (written bool, err error) {
	err = f.repo.InTx(ctx, func(ctx context.Context) error { return fn(ctx, fortressHands{f.repo}) })
	return isWritten(err), err
}

type fortressHands struct {
	repo *lockedrepo.Repository[Record]
}

func (h fortressHands) read(ctx context.Context, id string) (*Record, error) {
	return h.repo.FindByID(ctx, id)
}

func (h fortressHands) write(ctx context.Context, r *Record) error { return h.repo.Save(ctx, r) }

func (h fortressHands) query(ctx context.Context, native func(*gorm.DB) *gorm.DB) error {
	_, err := h.repo.Find(ctx, repo.Native(native))
	return err
}

// readAndSave is what a service does that has a repository and no Update.
func readAndSave(ctx context.Context, r repo.Repository[Record], c change) (written bool, err error) {
	var rs []*Record
	if len(c.ids) == 1 {
		one, err := r.FindByID(ctx, c.ids[0])
		if err != nil {
			return false, err
		}
		rs = []*Record{one}
	} else if rs, err = r.FindAllByID(ctx, []any{c.ids[0], c.ids[1]}); err != nil {
		return false, err
	}
	if err := c.make(rs); err != nil {
		return false, err
	}
	if len(rs) == 1 {
		err = r.Save(ctx, rs[0])
	} else {
		err = r.SaveAll(ctx, rs)
	}
	return isWritten(err), err
}

// bare takes no lock.
type bare struct{ b *backend }

func (g bare) do(ctx context.Context, c change) (bool, error) {
	return readAndSave(ctx, g.b.repo, c)
}

func (bare) close(context.Context) error { return nil }
