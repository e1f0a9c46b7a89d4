package gormrepo

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/fence"
)

// New makes a repository on db. It does no I/O and leaves the table alone. The
// naming strategy, the logger, the clock and the plugins of db are used;
// whether it prepares statements does not matter to statements that write many
// rows. When db is a transaction, the repository works inside it and never
// commits.
//
// It returns repo.ErrInvalid when db is nil, failed or restricted, by Where, Table,
// Scopes, Select, Omit, Preload, Set or DryRun for instance: a repository makes
// sessions of its own, which would not have it. Put such things into repo.Native.
// It is also repo.ErrInvalid when T is no struct, has no primary key or is marked
// wrongly, and when opts does not fit T; repo.ErrUnsupported for a dialect
// other than postgres, mysql and sqlite.
//
// Callbacks that plugins have registered for GORM's Create when New is called are
// run for every entity that a save may insert, and no other way to insert is taken.
// Which rows are stored is looked up first, by a query that runs the callbacks for
// Query; those are overwritten by an UPDATE, which for a single row runs the callbacks
// for Update. So a plugin that keeps tenants apart needs these three, and that for Delete:
//
//	create := func(tx *gorm.DB) { tx.Statement.SetColumn("TenantID", tenantOf(tx.Statement.Context), true) }
//	only := func(tx *gorm.DB) {
//		tx.Statement.AddClause(clause.Where{Exprs: []clause.Expression{
//			clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: "tenant_id"}, Value: tenantOf(tx.Statement.Context)},
//		}})
//	}
//	db.Callback().Create().Before("gorm:create").Register("tenant:create", create)
//	db.Callback().Query().Before("gorm:query").Register("tenant:query", only)
//	db.Callback().Update().Before("gorm:update").Register("tenant:update", only)
//	db.Callback().Delete().Before("gorm:delete").Register("tenant:delete", only)
//
// Then saving over the row of another tenant is repo.ErrDuplicateKey.
//
// The price on PostgreSQL and SQLite: Save of an entity that has no version, and may be
// stored, is a transaction of four statements instead of one, and of five under a fence.
// A list has one statement more for each thousand rows, and everything else costs what
// it costs without callbacks. Options.SkipCallbacks takes the price away where the
// callbacks only watch.
func New[T any](db *gorm.DB, opts *Options) (*Repository[T], error) {
	s, err := newStore(db, reflect.TypeFor[T](), opts)
	if err != nil {
		return nil, fmt.Errorf("gormrepo: new: %w", err)
	}
	return &Repository[T]{s}, nil
}

func newStore(db *gorm.DB, t reflect.Type, opts *Options) (*store, error) {
	if db == nil || db.Config == nil || db.Statement == nil || db.Dialector == nil {
		return nil, fmt.Errorf("%w: no database given", repo.ErrInvalid)
	}
	if db.Error != nil {
		return nil, fmt.Errorf("%w: the database given has failed: %w", repo.ErrInvalid, db.Error)
	}
	if err := checkHandle(db); err != nil {
		return nil, err
	}
	d, err := dialectOf(db.Name())
	if err != nil {
		return nil, err
	}
	m, err := newModel(db, t)
	if err != nil {
		return nil, err
	}
	r := &store{
		db: db.Session(&gorm.Session{NewDB: true, Context: context.Background()}), database: storeOf(db),
		foreign: isTx(db), opts: opts.orDefault(), dialect: d, model: m,
	}
	if d.name == postgres && !r.opts.TimesAsGiven {
		now := r.db.NowFunc
		r.db = r.db.Session(&gorm.Session{NewDB: true, NowFunc: func() time.Time { return now().UTC() }})
	}
	r.unique = sync.OnceValue(func() [][]string { return uniqueIndexes(t, r.db.NamingStrategy) })
	m.readZones(d, r.opts)
	r.fence = fence.New(r.db, fence.Options{
		Table: m.schema.Table, Schema: r.opts.FenceSchema, Limit: max(0, r.opts.HoldLimit), Keep: r.opts.KeepOps,
	})
	r.plugged = !r.opts.SkipCallbacks && hasCallbacks(db.Callback().Create())
	r.careful.Store(r.plugged || m.needsCare() || r.hasUpdateHooks() || r.numbersAlone())
	if err := r.opts.check(m, d); err != nil {
		return nil, err
	}
	if err := r.useAssociations(); err != nil {
		return nil, err
	}
	if r.opts.Sequence != nil {
		r.sequence = newSequence(*r.opts.Sequence, r.db, m.schema, d)
	}
	return r, nil
}

// checkHandle refuses a handle that asks for what sessions of their own would drop
// without a word.
func checkHandle(db *gorm.DB) error {
	s := db.Statement
	restricted := len(s.Clauses) > 0 || s.Table != "" || s.Model != nil || s.Unscoped || s.Distinct || db.DryRun ||
		len(s.Joins) > 0 || len(s.Selects) > 0 || len(s.Omits) > 0 || len(s.Preloads) > 0 || len(s.ColumnMapping) > 0
	s.Settings.Range(func(name, _ any) bool {
		restricted = restricted || name != txStateKey
		return true
	})
	// GORM shows neither scopes nor what FirstOrCreate would add.
	for _, name := range []string{"scopes", "attrs", "assigns"} {
		f := reflect.ValueOf(s).Elem().FieldByName(name)
		restricted = restricted || f.IsValid() && f.Kind() == reflect.Slice && f.Len() > 0
	}
	if restricted {
		return fmt.Errorf("%w: the database given is restricted, by a condition, a scope, a table, a model or a setting", repo.ErrInvalid)
	}
	return nil
}
