package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// transactionFaults happen inside InTx, and its callback takes no notice.
func transactionFaults() []*fault {
	explained := []string{ofDatabase, ofCancel, ofRollback}
	return []*fault{
		{
			name: "deadlock victim", felt: "transactions that MariaDB rolled back inside InTx, by a read or a write whose error was ignored",
			stores: []string{onMariaDB}, why: "its own row has another way of being rolled back", short: onSQL,
			beats: []string{handFenced}, explained: explained,
			round: func(ctx context.Context, c *cell) error {
				return c.ignored(ctx, 1, deadlock, readLocked, writeLocked)
			},
		},
		{
			name: "lock wait rolled back", felt: "transactions that innodb_rollback_on_timeout=ON rolled back inside InTx, and the error was ignored",
			stores: []string{onMariaDB}, why: "its own row has another way of being rolled back", needs: secondMariaDB,
			setup: setup{HoldLimit: time.Second},
			beats: []string{handFenced}, explained: explained,
			round: func(ctx context.Context, c *cell) error {
				return c.ignored(ctx, 1, lockStranger, readLocked, writeLocked)
			},
		},
		{
			name: "statement interrupted", felt: "transactions that SQLite rolled back because a statement in them had a shorter limit, and the error was ignored",
			stores: []string{onSQLite}, why: "its own row has another way of being rolled back", short: onSQL,
			beats: []string{handFenced}, explained: explained,
			round: func(ctx context.Context, c *cell) error {
				if err := c.slowDown(ctx); err != nil {
					return err
				}
				// The commit fails, but what was appended is there.
				return c.ignored(ctx, 1, undisturbed, writeBriefly)
			},
		},
		{
			name: "statement failed", felt: "transactions that PostgreSQL ended because a statement in them failed, and the error was ignored",
			stores: []string{onPostgres}, why: "its own row has another way of being rolled back", short: onSQL,
			beats: []string{handFenced}, explained: explained,
			round: func(ctx context.Context, c *cell) error {
				return c.ignored(ctx, 2, undisturbed, readBadly, writeBadly)
			},
		},
		{
			name: "stragglers", felt: "goroutines that went on saving after InTx and were refused",
			stores: onSQL, why: noTransactions, short: []string{onMariaDB},
			beats: []string{handFenced}, explained: append(explained, ofGivenUp, ofInTx), load: load{Straggle: 0.3},
			round: strand,
		},
	}
}

// onSQL are the stores with transactions.
var onSQL = []string{onPostgres, onMariaDB, onSQLite} //nolint:gochecknoglobals // a table, never written to

const noTransactions = "it has no transactions"

// calmly runs fn while only its steps are under way.
func (c *cell) calmly(ctx context.Context, fn func() error) error {
	if c.design != holdfast {
		return fn()
	}
	if err := c.quiet(ctx); err != nil {
		return err
	}
	return errors.Join(fn(), c.all(c.busy))
}

// ignored has statements fail inside transactions that go on. during is what
// others do meanwhile; it returns how that ends. A design that believes such a
// transaction answers for so many writes what is not true.
func (c *cell) ignored(ctx context.Context, wrong int64, during func(ctx context.Context, c *cell, strange *gorm.DB) (func() error, error), harms ...harm) error {
	return c.calmly(ctx, func() error {
		b, err := c.open(ctx)
		if err != nil {
			return err
		}
		defer b.close()
		for _, m := range harms {
			if err := c.ignore(ctx, b.db.WithContext(ctx), m, wrong, during); err != nil {
				return fmt.Errorf("%s: %w", m, err)
			}
		}
		return nil
	})
}

func (c *cell) ignore(ctx context.Context, strange *gorm.DB, m harm, wrong int64, during func(ctx context.Context, c *cell, strange *gorm.DB) (func() error, error)) error {
	a, before := c.nodes[c.rng.IntN(len(c.nodes))], c.hist.event(isHarmed)
	op, err := c.order(a, step{
		Kind: ignoring, How: byTx, Key: c.data.Counters[0], List: c.data.Lists[c.rng.IntN(len(c.data.Lists))], Harm: m, Stop: true,
	})
	if err != nil {
		return err
	}
	if read, err := c.hist.hasRead(ctx, op); err != nil || !read {
		return err
	}
	end, err := during(ctx, c, strange)
	if err != nil {
		return errors.Join(err, goOn(a, op))
	}
	if err := goOn(a, op); err != nil {
		return errors.Join(err, end())
	}
	_, err = c.hist.answered(ctx, op)
	if err := errors.Join(err, end()); err != nil {
		return err
	}
	if c.hist.event(isHarmed) > before {
		c.felt++
		c.mustLose += wrong
	}
	return nil
}

func undisturbed(context.Context, *cell, *gorm.DB) (func() error, error) {
	return func() error { return nil }, nil
}

// slowDown makes one write take longer than it has time for.
func (c *cell) slowDown(ctx context.Context) error {
	b, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer b.close()
	return b.db.WithContext(ctx).Exec(fmt.Sprintf(slowTrigger, c.data.Strangers[0])).Error
}

// lockStranger is a transaction that keeps the strangers' rows.
func lockStranger(_ context.Context, _ *cell, strange *gorm.DB) (func() error, error) {
	tx := strange.Begin()
	err := tx.Exec("UPDATE records SET n = n + 1 WHERE id LIKE 'stranger%'").Error
	return func() error { return tx.Rollback().Error }, err
}

// deadlock is a transaction that keeps the strangers' rows and waits for the
// counter. It has changed more than the worker's, which is therefore the one to
// be given up.
func deadlock(ctx context.Context, c *cell, strange *gorm.DB) (func() error, error) {
	tx := strange.Begin()
	rollback := func() error { return tx.Rollback().Error }
	var id int64
	if err := errors.Join(tx.Raw("SELECT CONNECTION_ID()").Scan(&id).Error, tx.Exec("UPDATE records SET n = n + 1 WHERE id LIKE 'stranger%'").Error); err != nil {
		return nil, errors.Join(err, rollback())
	}
	got := make(chan error, 1)
	go func() { got <- tx.Exec("UPDATE records SET n = n WHERE id = ?", c.data.Counters[0]).Error }()
	for {
		var waits int64
		err := strange.Raw("SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' AND trx_mysql_thread_id = ?", id).Scan(&waits).Error
		// InnoDB looks again only when nobody has asked for a tenth of a second.
		if err == nil && waits == 0 && wait(ctx, 3*heartbeat) {
			continue
		}
		end := func() error { return errors.Join(<-got, rollback()) }
		if err = errors.Join(err, context.Cause(ctx)); err != nil {
			return nil, errors.Join(err, end())
		}
		return end, nil
	}
}

// strand has a goroutine save what it has read in a transaction that is over,
// when others have gone on.
func strand(ctx context.Context, c *cell) error {
	wait(ctx, c.straggling())
	err := c.calmly(ctx, func() error {
		i := c.rng.IntN(len(c.nodes))
		a, b := c.nodes[i], c.nodes[(i+1)%len(c.nodes)]
		first, err := c.order(a, step{Kind: straggling, How: byTx, Key: c.data.Counters[0], Stop: true})
		if err != nil {
			return err
		}
		if _, err := c.hist.answered(ctx, first); err != nil {
			return err
		}
		if err := c.hist.until(ctx, first+" to wait", func() bool { return c.hist.reads[first] }); err != nil {
			return err
		}
		count := func(times int) error {
			for range times {
				next, err := c.order(b, step{Kind: counting, How: byDo, Key: c.data.Counters[0]})
				if err != nil {
					return err
				}
				if _, err := c.hist.answered(ctx, next); err != nil {
					return err
				}
			}
			return nil
		}
		// Once would only give the counter the value that the straggler has for it.
		if err := count(2); err != nil {
			return err
		}
		late, slipped := c.hist.event(isLate), c.hist.event(isSlipped)
		if err := goOn(a, first); err != nil {
			return err
		}
		err = c.hist.until(ctx, "the straggler of "+first, func() bool {
			return c.hist.events[isLate] > late || c.hist.events[isSlipped] > slipped
		})
		if err != nil {
			return err
		}
		if c.hist.event(isSlipped) > slipped {
			c.mustLose++
			if c.design == holdfast {
				c.problems = append(c.problems, first+" saved after its transaction")
			}
		}
		return count(1) // which sees what became of it
	})
	c.felt = c.hist.event(isLate) + c.hist.event(isSlipped)
	return err
}

// straggling is how long goroutines straggle by themselves before one is told
// to.
func (c *cell) straggling() time.Duration {
	switch {
	case c.design != holdfast:
		return 0
	case c.campaign.short:
		return time.Second / 2
	default:
		return time.Second
	}
}
