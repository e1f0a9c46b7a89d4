package gormrepo

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/repo"
)

// GORM's plugins may send a statement to another connection, as plugins for
// replicas and sharding do, or answer it themselves, as caches do. Under a fence
// such a statement is outside of the transaction that showed the claims, so it
// proves nothing. Two checks refuse it: writes are tried once without running, so
// that nothing is written elsewhere, and each statement has to be seen by the
// connection of its transaction.

// through runs one statement of GORM, and what GORM adds to it for preloads and
// associations. In a transaction, and in a statement that shows claims, it is an
// error when one of them ran elsewhere.
func through(tx *gorm.DB, run func(tx *gorm.DB) *gorm.DB) *gorm.DB {
	p, ok := tx.Statement.ConnPool.(interface{ counts() *passages })
	if !ok {
		return run(tx)
	}
	n := p.counts()
	alone := n.open.Add(1) == 1
	defer n.open.Add(-1)
	ran, reported := n.ran.Load(), n.reported.Load()
	res := run(tx)
	ran, reported = n.ran.Load()-ran, n.reported.Load()-reported
	if res.Error == nil && (ran == 0 || alone && ran < reported) {
		_ = res.AddError(errElsewhere(tx))
	}
	return res
}

// passages counts the statements of one connection.
type passages struct {
	// ran counts those that the connection saw, reported those that GORM says
	// it has run.
	ran, reported atomic.Int64
	// open is how many callers run one now.
	open atomic.Int64
}

func (p *passages) counts() *passages { return p }

// reporter counts what GORM reports to its logger.
type reporter struct {
	logger.Interface
	passages *passages
}

// Trace is called by GORM after each statement.
func (r reporter) Trace(ctx context.Context, begin time.Time, text func() (string, int64), err error) {
	if err == nil {
		r.passages.reported.Add(1)
	}
	r.Interface.Trace(ctx, begin, text, err)
}

// ParamsFilter forwards what hides values in logs.
func (r reporter) ParamsFilter(ctx context.Context, text string, params ...any) (string, []any) {
	if filter, ok := r.Interface.(gorm.ParamsFilter); ok {
		return filter.ParamsFilter(ctx, text, params...)
	}
	return text, params
}

// LogMode keeps the counter.
func (r reporter) LogMode(level logger.LogLevel) logger.Interface {
	return reporter{r.Interface.LogMode(level), r.passages}
}

func errElsewhere(tx *gorm.DB) error {
	names := lo.Keys(tx.Plugins)
	slices.Sort(names)
	return fmt.Errorf("%w: a GORM plugin (%s) answered a statement or sent it to another connection than that of its transaction, where no lock protects it",
		repo.ErrUnsupported, strings.Join(names, ", "))
}

// hasCallbacks tells whether somebody else than GORM, and its plugin for replicas, has
// callbacks for one of the processors of a DB, such as Create(): of those that are there
// GORM does not tell, so its own record is read. Where that cannot be read there may be
// some.
func hasCallbacks(processors ...any) bool {
	return lo.SomeBy(processors, func(processor any) bool {
		list := reflect.Indirect(reflect.ValueOf(processor)).FieldByName("callbacks")
		if list.Kind() != reflect.Slice {
			return true
		}
		for i := range list.Len() {
			c := reflect.Indirect(list.Index(i))
			name, replaces := c.FieldByName("name"), c.FieldByName("replace")
			if name.Kind() != reflect.String || replaces.Kind() != reflect.Bool || !strings.HasPrefix(name.String(), "gorm:") || replaces.Bool() {
				return true
			}
		}
		return false
	})
}

// callBack runs the callbacks of plugins for entities that may be overwritten: these
// set columns, a tenant for instance, which an UPDATE would write as they are. GORM
// does not build a statement where there is one, and does not run it here.
func (r *Repository[T]) callBack(c *call, items []*item[T]) error {
	if !r.plugged || len(items) == 0 {
		return nil
	}
	list := lo.Map(items, func(it *item[T], _ int) *T { return it.e })
	tx := c.tx.Session(&gorm.Session{DryRun: true, SkipHooks: true, Logger: logger.Discard}).Omit(clause.Associations).Model(&list)
	tx.Statement.Dest = &list
	tx.Statement.SQL.WriteString("-- ")
	return tx.Callback().Create().Execute(tx).Error
}

// errTrial keeps callbacks from running a statement that is only tried.
var errTrial = errors.New("tried, not run")

// checkPlugins refuses to write when a plugin takes writes out of the
// transaction. It runs GORM's callbacks without a statement, once for each
// repository.
func (r *Repository[T]) checkPlugins(tx *gorm.DB, c gorm.ConnPool) error {
	if r.trusted.Load() {
		return nil
	}
	callbacks := tx.Callback()
	for _, p := range []interface{ Execute(tx *gorm.DB) *gorm.DB }{
		callbacks.Create(), callbacks.Update(), callbacks.Delete(), callbacks.Raw(), callbacks.Row(), callbacks.Query(),
	} {
		trial := tx.Session(&gorm.Session{DryRun: true, SkipHooks: true, Logger: logger.Discard}).Model(new(T))
		trial.Statement.Dest = new(T)
		_ = trial.AddError(errTrial)
		if res := p.Execute(trial); res.Statement.ConnPool != c {
			return errElsewhere(tx)
		}
	}
	r.trusted.Store(true)
	return nil
}
