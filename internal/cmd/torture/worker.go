package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
)

// worker is one process of the fleet that is tortured.
type worker struct {
	job   workerJob
	back  *backend
	cli   *clientv3.Client
	out   lines
	count atomic.Int64 // names operations

	guardMu sync.RWMutex
	guard   guard

	mu      sync.Mutex
	waiting map[string]chan struct{} // operations between reading and writing
	cancels map[string]context.CancelFunc

	ops      sync.WaitGroup
	loads    sync.WaitGroup
	stopLoad context.CancelFunc
}

// work is a worker's whole life: it does what in says until in ends, and then
// gives back everything.
func work(ctx context.Context, job workerJob, in io.Reader, out io.Writer) error {
	before := goleak.IgnoreCurrent()
	if err := workOn(ctx, job, in, out); err != nil {
		return err
	}
	// pgx lets connections end in the background, for up to 15 seconds; GORM never
	// ends what looks after its prepared statements.
	if err := goleak.Find(before, goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgconn.(*PgConn).asyncClose.func1"),
		goleak.IgnoreAnyFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1")); err != nil {
		return errors.Join((&lines{out: out}).write(report{What: isLeak, Err: err.Error()}), nil)
	}
	return nil
}

func workOn(ctx context.Context, job workerJob, in io.Reader, out io.Writer) (err error) {
	w := &worker{job: job, waiting: map[string]chan struct{}{}, cancels: map[string]context.CancelFunc{}, stopLoad: func() {}}
	w.out.out = out
	if w.back, err = openBackend(ctx, job.Place); err != nil {
		return err
	}
	defer w.back.close()
	if w.cli, err = openEtcd(job.Endpoints); err != nil {
		return err
	}
	defer w.cli.Close()
	if w.guard, err = w.open(ctx); err != nil {
		return err
	}
	w.say(report{What: isReady})
	for orders := bufio.NewScanner(in); orders.Scan(); {
		var o order
		if err := json.Unmarshal(orders.Bytes(), &o); err != nil {
			return err
		}
		w.obey(ctx, o)
	}
	return w.close(ctx)
}

func (w *worker) open(ctx context.Context) (guard, error) {
	return openGuard(ctx, w.job, w.cli, w.back, func() { w.say(report{What: isLost}) })
}

// say reports. When nobody listens any more the input has ended as well.
func (w *worker) say(r report) { _ = w.out.write(r) }

func (w *worker) obey(ctx context.Context, o order) {
	switch o.Do {
	case doLoad:
		loading, stop := context.WithCancel(ctx)
		w.stopLoad = stop
		for i := range o.Load.Callers {
			w.loads.Go(func() { w.keepBusy(loading, *o.Load, i) })
		}
		for i := range o.Load.Savers {
			w.loads.Go(func() { w.keepSaving(loading, *o.Load, i) })
		}
	case doRest:
		w.rest()
		w.say(report{What: isResting})
	case doStep:
		w.ops.Go(func() { w.step(ctx, o.Op, *o.Step) })
	case doGo:
		w.mu.Lock()
		defer w.mu.Unlock()
		if waits := w.waiting[o.Op]; waits != nil {
			delete(w.waiting, o.Op)
			close(waits)
		}
	case doCancel:
		w.mu.Lock()
		defer w.mu.Unlock()
		if cancel := w.cancels[o.Op]; cancel != nil {
			cancel()
		}
	case doReopen:
		w.ops.Go(func() { w.reopen(ctx) })
	}
}

// rest ends the load. Operations under way come to their own end.
func (w *worker) rest() {
	w.stopLoad()
	w.loads.Wait()
}

// closeLimit bounds how long a locker waits for its holds.
const closeLimit = 5 * time.Second

// reopen closes the locker under the operations, and opens another.
func (w *worker) reopen(ctx context.Context) {
	w.guardMu.RLock()
	old := w.guard
	w.guardMu.RUnlock()
	closing, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	_ = old.close(closing) // that it cuts holds short is what is wanted
	cancel()
	fresh, err := w.open(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture: opening a locker again:", err)
		return
	}
	w.guardMu.Lock()
	w.guard = fresh
	w.guardMu.Unlock()
	w.say(report{What: isReopen})
}

func (w *worker) current() guard {
	w.guardMu.RLock()
	defer w.guardMu.RUnlock()
	return w.guard
}

func (w *worker) close(ctx context.Context) error {
	w.rest()
	w.mu.Lock()
	for op, waits := range w.waiting {
		delete(w.waiting, op)
		close(waits)
	}
	w.mu.Unlock()
	w.ops.Wait()
	ctx, cancel := context.WithTimeout(ctx, closeLimit)
	defer cancel()
	return w.guard.close(ctx)
}

// keepBusy does one operation after the other.
func (w *worker) keepBusy(ctx context.Context, l load, caller int) {
	rng := rand.New(rand.NewPCG(w.job.Seed, uint64(w.job.Index)<<32|uint64(w.job.Life)<<16|uint64(caller))) //nolint:gosec // to be repeated
	for ctx.Err() == nil {
		o := w.job.draw(rng, l.Straggle)
		if (o.kind == counting || o.kind == appending) && rng.Float64() < l.Spoil {
			o.how, o.spoil = byUpdate, w.job.Place.drawSpoil(rng)
		}
		opCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.Limit)
		if rng.Float64() < l.Cancel {
			halfway := time.AfterFunc(time.Duration(rng.Int64N(int64(8*time.Millisecond))), cancel)
			w.perform(opCtx, w.name(), o)
			halfway.Stop()
		} else {
			w.perform(opCtx, w.name(), o)
		}
		cancel()
	}
}

// name draws a name that no other operation of the cell has.
func (w *worker) name() string {
	return fmt.Sprintf("w%d.%d.%d", w.job.Index, w.job.Life, w.count.Add(1))
}
