package lockedrepos_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
)

// ledgerOp is one operation, and what became of it.
type ledgerOp struct {
	kind string
	// effects are what it wrote, in order.
	effects []ledgerEffect
	// err is what it returned. A panic that was let through is errLedgerPanic.
	err error
	// swallowed counts errors that the operation did not return.
	swallowed int
	cancelled bool
}

// ledgerEffect is one write with a mark of its own.
type ledgerEffect struct {
	mark string
	// done tells that the call that made it returned nil, and so did all calls
	// that it was nested in, below the operation itself.
	done bool
	err  error
}

// ledgerWorker is one goroutine of a pod.
type ledgerWorker struct {
	site *ledgerSite
	pod  *ledgerPod
	rng  *rand.Rand
}

func (w *ledgerWorker) chance(percent int) bool { return w.rng.IntN(100) < percent }

func (w *ledgerWorker) book() *ledgerBook {
	if w.chance(50) {
		return w.pod.products
	}
	return w.pod.orders
}

// mood is how a callback ends.
func (w *ledgerWorker) mood() error {
	switch n := w.rng.IntN(100); {
	case n < 3:
		panic(errLedgerPanic)
	case n < 8:
		return errLedgerMood
	default:
		return nil
	}
}

// one makes one operation.
func (w *ledgerWorker) one(ctx context.Context) (op *ledgerOp) {
	op = &ledgerOp{}
	if w.chance(20) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(w.rng.IntN(int(30*time.Millisecond)))) // that of a client that hangs up
		defer cancel()
		defer func() { op.cancelled = ctx.Err() != nil }()
	}
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, errLedgerPanic) {
				panic(p)
			}
			op.err = errLedgerPanic
		}
	}()
	switch w.rng.IntN(4) {
	case 0:
		op.kind = "Update"
		op.err = w.effect(op, func(mark string) error { return w.book().update(ctx, ledgerID(w.rng), mark, w.mood) })
	case 1:
		op.kind = "Do"
		w.do(ctx, op)
	case 2:
		op.kind = "InTx"
		op.err = w.book().inTx(ctx, func(ctx context.Context) error { return w.tx(ctx, op) })
	case 3:
		op.kind = "InTx of two"
		op.err = w.inBoth(ctx, func(ctx context.Context) error { return w.tx(ctx, op) })
	}
	return op
}

// effect makes one write. A panic leaves it undone.
func (w *ledgerWorker) effect(op *ledgerOp, write func(mark string) error) error {
	i := len(op.effects)
	op.effects = append(op.effects, ledgerEffect{mark: w.site.mark(), err: errLedgerPanic})
	err := write(op.effects[i].mark)
	op.effects[i].done, op.effects[i].err = err == nil || errors.Is(err, lockedrepo.ErrRelease), err
	return err
}

// do reads and saves under one hold. What the save said counts: the hold may be
// lost afterwards.
func (w *ledgerWorker) do(ctx context.Context, op *ledgerOp) {
	b := w.book()
	reached := false
	err := w.pod.locker.Do(ctx, b.key, func(ctx context.Context) error {
		reached = true
		w.effect(op, func(mark string) error { return b.readSave(ctx, ledgerID(w.rng), mark, w.mood) }) //nolint:errcheck // kept in op
		return nil
	})
	if op.err = err; reached {
		op.err = op.effects[0].err
	}
}

func (w *ledgerWorker) inBoth(ctx context.Context, fn func(context.Context) error) error {
	both := []lockedrepo.Lockable{w.pod.products.lockable, w.pod.orders.lockable}
	w.rng.Shuffle(2, func(i, j int) { both[i], both[j] = both[j], both[i] })
	return lockedrepo.InTx(ctx, fn, both...)
}

// tx is the function of a transaction. It swallows half of the errors.
func (w *ledgerWorker) tx(ctx context.Context, op *ledgerOp) error {
	op.effects, op.swallowed = nil, 0 // it may run again
	if err := w.steps(ctx, op); err != nil {
		return err
	}
	if w.chance(25) {
		if err := w.nested(ctx, op); err != nil {
			if w.chance(50) {
				return err
			}
			op.swallowed++
		}
		if err := w.steps(ctx, op); err != nil {
			return err
		}
	}
	if w.chance(5) {
		return w.straggle(ctx, op)
	}
	return w.mood()
}

// nested makes a transaction inside of the one of ctx.
func (w *ledgerWorker) nested(ctx context.Context, op *ledgerOp) error {
	first := len(op.effects)
	if w.chance(30) {
		ctx = repo.WithSavepoint(ctx)
	}
	nest := w.book().inTx
	if w.chance(50) {
		nest = w.inBoth
	}
	err := nest(ctx, func(ctx context.Context) error {
		if err := w.steps(ctx, op); err != nil {
			return err
		}
		if w.chance(30) {
			return errLedgerMood
		}
		return nil
	})
	if err != nil {
		for i := first; i < len(op.effects); i++ {
			op.effects[i].done = false
		}
	}
	return err
}

// steps writes up to three times.
func (w *ledgerWorker) steps(ctx context.Context, op *ledgerOp) error {
	for range 1 + w.rng.IntN(3) {
		err := w.effect(op, func(mark string) error { return w.step(ctx, mark) })
		if err == nil {
			continue
		}
		if w.chance(50) {
			return err
		}
		op.swallowed++
	}
	return nil
}

func (w *ledgerWorker) step(ctx context.Context, mark string) error {
	if w.chance(10) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(w.rng.IntN(int(3*time.Millisecond)))) // of its own, shorter
		defer cancel()
	}
	b := w.book()
	switch w.rng.IntN(4) {
	case 0:
		return w.pod.entries.Save(ctx, &ledgerEntry{ID: mark})
	case 1:
		return b.readSave(ctx, ledgerID(w.rng), mark, w.mood)
	default:
		return b.update(ctx, ledgerID(w.rng), mark, w.mood)
	}
}

// straggle rolls back while another goroutine goes on writing. None of that may
// stay.
func (w *ledgerWorker) straggle(ctx context.Context, op *ledgerOp) error {
	p, begun := w.pod, make(chan struct{})
	var mark [3]string
	for i := range mark {
		mark[i] = w.site.mark()
		op.effects = append(op.effects, ledgerEffect{mark: mark[i], err: errLedgerMood})
	}
	ctx = context.WithoutCancel(ctx)
	w.site.stragglers.Go(func() {
		close(begun)
		for _, m := range mark {
			_ = p.products.update(ctx, "0", m, func() error { return nil })
			_ = p.entries.Save(ctx, &ledgerEntry{ID: m})
		}
	})
	<-begun
	return errLedgerMood
}
