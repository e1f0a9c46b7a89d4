package gormrepo

import (
	"context"
	"strings"

	"github.com/samber/lo"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/fence"
)

// foldsOnMariaDB tells whether the server takes compound statements, and items may be
// saved by one that has an INSERT ... ON DUPLICATE KEY UPDATE, or an UPDATE.
func (r *store) foldsOnMariaDB(items []*item) bool {
	return r.dialect.name == mysql && r.server.Compound() && !r.careful.Load() &&
		lo.EveryBy(items, func(it *item) bool { return !it.isNew }) && (r.insertReturns() || !r.returns(items))
}

// returns tells whether the database decides some columns of the items.
func (r *store) returns(items []*item) bool {
	ctx := context.Background()
	return len(r.created) > 0 || lo.SomeBy(items, func(it *item) bool {
		return len(r.left(ctx, it.val, false)) > 0 || len(r.defaulted(ctx, it)) > 0
	})
}

// lookAtTable asks MariaDB once whether an INSERT meets the rows that exist, and does no
// more: a unique index has to be on the key alone, else they would be stored twice; a
// trigger would take them for new, and a view may hide one.
func (r *store) lookAtTable(ctx context.Context) error {
	if r.proven.Load() {
		return nil
	}
	schema, table, ok := strings.Cut(r.schema.Table, ".")
	if !ok {
		schema, table = "", r.schema.Table
	}
	const text = "SELECT COUNT(*) FROM information_schema.tables t WHERE t.table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND t.table_name = ?" +
		" AND t.table_type = 'BASE TABLE' AND NOT EXISTS (SELECT 1 FROM information_schema.triggers g WHERE g.event_manipulation = 'INSERT'" +
		" AND g.event_object_schema = t.table_schema AND g.event_object_table = t.table_name)" +
		" AND EXISTS (SELECT 1 FROM information_schema.statistics s WHERE s.table_schema = t.table_schema AND s.table_name = t.table_name" +
		" AND s.non_unique = 0 GROUP BY s.index_name HAVING SUM(s.sub_part IS NOT NULL OR NOT FIND_IN_SET(s.column_name, ?)) = 0)"
	var plain bool
	if err := r.plainPool().QueryRowContext(ctx, text, schema, table, strings.Join(names(r.key), ",")).Scan(&plain); err != nil {
		return err
	}
	r.careful.CompareAndSwap(false, !plain)
	r.proven.Store(true)
	return nil
}

// keepsOthers is the first assignment of an upsert of MariaDB, which fires on any unique
// index. It leaves the key as it is, and counts a row of another key, or one that is marked
// as deleted: the statement is refused then. It counts by the values of the row, because
// MariaDB works out what is constant before it has one.
func (r *store) keepsOthers() clause.Assignment {
	key := clause.Column{Name: r.key[0].DBName}
	ours := lo.Map(r.key, func(f *schema.Field, _ int) clause.Expression {
		column := clause.Column{Name: f.DBName}
		return clause.Expr{SQL: "? = VALUES(?)", Vars: []any{column, column}}
	})
	if !r.opts.Revive {
		ours = append(ours, r.alive...)
	}
	return clause.Assignment{Column: key, Value: clause.Expr{
		SQL:  "IF((" + fence.Left + " := " + fence.Left + " + CASE WHEN ? THEN 0 ELSE 1 END) IS NULL, ?, ?)",
		Vars: []any{all(ours), key, key},
	}}
}

// notOnMariaDB tells whether a transaction has to do what a compound statement could not.
// A table that takes no INSERT of T, and a connection that prepares its statements, are
// not tried again.
func (r *store) notOnMariaDB(err error) bool {
	if err == nil || r.dialect.name != mysql {
		return false
	}
	if dberr.RefusesUpsert(err) {
		r.careful.Store(true)
		return true
	}
	return dberr.BlamesRow(err, r.db.Dialector) && !fence.LeftRows(err)
}
