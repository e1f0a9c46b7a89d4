package gormrepo

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
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
	c, ok := tx.Statement.ConnPool.(txconn.Counter)
	if !ok {
		return run(tx)
	}
	var res *gorm.DB
	elsewhere := txconn.Through(c, func() bool {
		res = run(tx)
		return res.Error == nil
	})
	if elsewhere {
		_ = res.AddError(errElsewhere(tx))
	}
	return res
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
func (r *store) callBack(c *call, items []*item) error {
	if !r.plugged || len(items) == 0 {
		return nil
	}
	list := r.listOf(items).Interface()
	tx := c.tx.Session(&gorm.Session{DryRun: true, SkipHooks: true, Logger: logger.Discard}).Omit(clause.Associations).Model(list)
	tx.Statement.Dest = list
	tx.Statement.SQL.WriteString("-- ")
	return tx.Callback().Create().Execute(tx).Error
}

// errTrial keeps callbacks from running a statement that is only tried.
var errTrial = errors.New("tried, not run")

// checkPlugins refuses to write when a plugin takes writes out of the
// transaction. It runs GORM's callbacks without a statement, once for each
// repository.
func (r *store) checkPlugins(tx *gorm.DB, c gorm.ConnPool) error {
	if r.trusted.Load() {
		return nil
	}
	callbacks := tx.Callback()
	for _, p := range []interface{ Execute(tx *gorm.DB) *gorm.DB }{
		callbacks.Create(), callbacks.Update(), callbacks.Delete(), callbacks.Raw(), callbacks.Row(), callbacks.Query(),
	} {
		trial := tx.Session(&gorm.Session{DryRun: true, SkipHooks: true, Logger: logger.Discard}).Model(r.newPointer())
		trial.Statement.Dest = trial.Statement.Model
		_ = trial.AddError(errTrial)
		if res := p.Execute(trial); res.Statement.ConnPool != c {
			return errElsewhere(tx)
		}
	}
	r.trusted.Store(true)
	return nil
}
