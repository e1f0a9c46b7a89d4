package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// harm is a statement inside a transaction that fails.
type harm string

const (
	// readLocked and writeLocked need a row that a stranger keeps.
	readLocked  harm = "read locked"
	writeLocked harm = "write locked"
	// writeBriefly has less time than the write takes.
	writeBriefly harm = "write briefly"
	// readBadly and writeBadly are what the database refuses.
	readBadly  harm = "read badly"
	writeBadly harm = "write badly"
)

// brief is the time of writeBriefly, and slowTrigger what makes it too short.
const (
	brief       = 100 * time.Millisecond
	slowTrigger = "CREATE TRIGGER IF NOT EXISTS slow AFTER UPDATE ON records WHEN new.id = '%[1]s' BEGIN" +
		" UPDATE records SET n = (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 100000000) SELECT count(*) FROM c)" +
		" WHERE id = '%[1]s'; END"
)

// do executes the statement. id is a stranger's.
func (m harm) do(ctx context.Context, h hands, id string) error {
	switch m {
	case readLocked:
		return h.query(ctx, func(db *gorm.DB) *gorm.DB {
			return db.Where("id = ?", id).Clauses(clause.Locking{Strength: "UPDATE"})
		})
	case writeLocked:
		return h.write(ctx, &Record{ID: id})
	case writeBriefly:
		ctx, cancel := context.WithTimeout(ctx, brief)
		defer cancel()
		return h.write(ctx, &Record{ID: id})
	case readBadly:
		return h.query(ctx, func(db *gorm.DB) *gorm.DB { return db.Where("1 / (n - n) = 1") })
	case writeBadly:
		return h.write(ctx, &Record{ID: id, Text: "no text of PostgreSQL has a \x00"})
	}
	return fmt.Errorf("there is no harm %q", m)
}

// errNoTransactions is for designs without.
var errNoTransactions = errors.New("the design has no transactions")

// transact runs fn in a transaction of the design.
func (w *worker) transact(ctx context.Context, fn func(ctx context.Context, h hands) error) (written bool, err error) {
	t, ok := w.current().(transactor)
	if !ok {
		return false, errNoTransactions
	}
	return t.inTx(ctx, fn)
}

// ignore counts, lets a statement fail, and appends. Its callback can do without
// the last two, and takes no notice of their errors.
func (w *worker) ignore(ctx context.Context, name string, o operation, answer *report) (written bool, err error) {
	return w.transact(ctx, func(ctx context.Context, h hands) error {
		counter, err := h.read(ctx, o.keys[0])
		if err != nil {
			return err
		}
		list, err := h.read(ctx, o.keys[1])
		if err != nil {
			return err
		}
		answer.Old, answer.New = counter.N, counter.N+1
		counter.N++
		if err := h.write(ctx, counter); err != nil {
			return err
		}
		if o.stop {
			w.await(name)
		}
		if err := o.harm.do(ctx, h, w.job.Data.Strangers[0]); err != nil {
			w.say(report{What: isHarmed, Op: name, Err: err.Error()})
		}
		list.Text += name + ","
		_ = h.write(ctx, list) // the error is what the callback ignores
		return nil
	})
}

// How many goroutines a transaction leaves behind, and how often each saves.
const (
	stragglers    = 6
	straggledOver = 50
)

// errGivenUp is what a callback returns that wants nothing to be written.
var errGivenUp = errors.New("torture: given up")

// straggle appends and leaves goroutines that save the same again and again
// until they are refused. Four of five times it wants to be rolled back. One that
// is told to stop leaves one goroutine, which saves when it is told to go on.
func (w *worker) straggle(ctx context.Context, name string, o operation, answer *report, left *sync.WaitGroup) (written bool, err error) {
	return w.transact(ctx, func(ctx context.Context, h hands) error {
		r, err := h.read(ctx, o.keys[0])
		if err != nil {
			return err
		}
		answer.Old, answer.New = r.N, r.N
		if o.stop {
			r.N++
			left.Go(func() {
				w.await(name)
				w.sayLate(name, h.write(context.WithoutCancel(ctx), r))
			})
			return errGivenUp
		}
		r.Text += name + ","
		if err := h.write(ctx, r); err != nil {
			return err
		}
		for i := range stragglers {
			saved, saving := *r, ctx
			if i == 0 { // the others end with the call
				saving = context.WithoutCancel(ctx)
			}
			left.Go(func() {
				for range straggledOver {
					again := saved
					if err := h.write(saving, &again); err != nil {
						w.sayLate(name, err)
						return
					}
				}
			})
		}
		if strings.HasSuffix(name, "0") || strings.HasSuffix(name, "5") {
			return nil
		}
		return errGivenUp
	})
}

// sayLate tells what became of a save whose transaction is over.
func (w *worker) sayLate(name string, err error) {
	r := report{What: isSlipped, Op: name}
	if err != nil {
		r.What, r.Err, r.Kinds = isLate, err.Error(), kindsOf(err)
	}
	w.say(r)
}
