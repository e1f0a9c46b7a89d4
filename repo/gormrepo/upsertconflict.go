package gormrepo

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// Where a natural key has a unique index, and nothing has to be known of a row before it is
// overwritten, PostgreSQL does an UpsertBy by INSERT ... ON CONFLICT.

// conflicts tells whether UpsertBy can do so. In a transaction that goes on it cannot: a row
// that only a collation takes for the right one could not be given back what it had. Short
// numbers would run out, because each row takes one, also those that overwrite.
func (r *store) conflicts(ctx context.Context, n *natural) bool {
	return r.dialect.name == postgres && !r.hasHooks() && !r.plugged && !r.opts.Revive && !r.opts.Associations && !r.foreign &&
		r.TxState(ctx) == driver.TxNone && r.uniqueOn(n.columns()) &&
		!lo.SomeBy(r.made, func(f *schema.Field) bool { return entity.IsInt(f.FieldType) && f.Size < 64 })
}

// uniqueOn tells whether the type says that the columns have a unique index.
func (r *store) uniqueOn(columns []*schema.Field) bool {
	these := func(list []string) bool {
		missing, more := lo.Difference(names(columns), list)
		return len(missing) == 0 && len(more) == 0
	}
	return these(names(r.schema.PrimaryFields)) || len(columns) == 1 && columns[0].Unique || lo.SomeBy(r.unique(), these)
}

// uniqueIndexes are the columns of each unique index that the tags of a type tell of. GORM
// notes in the fields what it finds there, so this takes a schema of its own: the usual
// one is shared.
func uniqueIndexes(t reflect.Type, namer schema.Namer) [][]string {
	s, err := schema.Parse(reflect.New(t).Interface(), &sync.Map{}, namer)
	if err != nil {
		return nil
	}
	return lo.FilterMap(s.ParseIndexes(), func(x *schema.Index, _ int) ([]string, bool) {
		whole := !lo.SomeBy(x.Fields, func(o schema.IndexOption) bool { return o.Expression != "" || o.Field == nil })
		if x.Class != "UNIQUE" || x.Where != "" || !whole {
			return nil, false
		}
		return lo.Map(x.Fields, func(o schema.IndexOption, _ int) string { return o.DBName }), true
	})
}

// cannotConflict tells of an error which a search for the rows does not have.
func cannotConflict(err error) bool {
	const noSuchIndex, sameRowTwice = "42P10", "21000"
	return lo.Contains([]string{noSuchIndex, sameRowTwice}, dberr.State(err))
}

// upsertConflicting saves items and returns how many were inserted.
func (r *store) upsertConflicting(c *call, items []*item, n *natural) (inserted int, err error) {
	if err := r.checkKeys(items); err != nil {
		return 0, err
	}
	if err := r.toUTC(c, items); err != nil {
		return 0, err
	}
	ctx := c.tx.Statement.Context
	if err := r.stamp(ctx, items, r.now()); err != nil {
		return 0, err
	}
	if err := r.learnTypesIn(c, items); err != nil {
		return 0, err
	}
	groups := grouped(items, func(it *item) group {
		made := lo.Filter(r.made, func(f *schema.Field, _ int) bool { return isZero(ctx, f, it) })
		return group{left: append(r.left(ctx, it.val, false), made...), defaulted: r.defaulted(ctx, it)}
	})
	for _, g := range groups {
		columns := without(r.columns, g.left)
		err := r.inBatches(c, g.items, r.dialect.rows(len(columns)), func(batch []*item) error {
			fresh, err := r.upsertConflictingBatch(c, batch, columns, g, n)
			inserted += fresh
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return inserted, nil
}

func (r *store) upsertConflictingBatch(c *call, items []*item, columns []*schema.Field, g *group, n *natural) (int, error) {
	st := r.statement(c, items, columns, without(g.defaulted, n.columns()))
	st.conflict.Columns = lo.Map(n.columns(), func(f *schema.Field, _ int) clause.Column { return clause.Column{Name: f.DBName} })
	st.conflict.DoUpdates = r.overwriting(c, items[0], columns, g, n)
	if len(r.alive) > 0 {
		st.conflict.Where = clause.Where{Exprs: slices.Clone(r.alive)}
	}
	back := slices.Concat(r.key, r.created, g.left, g.defaulted)
	if r.version != nil {
		back = append(back, r.version)
	}
	back = lo.Uniq(back)
	st.returning, st.tellsFresh = lo.Uniq(append(slices.Clone(back), n.columns()...)), true
	rows, fresh, err := r.queryFresh(c, st)
	if err != nil {
		return 0, err
	}
	byKey := lo.KeyBy(rows, n.identity)
	var bad failures
	for _, it := range items {
		row, ok := byKey[n.identity(it.val)]
		if !ok {
			bad.add(it.index, r.shownID(it.val), fmt.Errorf("%w: a row that is marked as deleted has its values of %q, or one with other letters in them", repo.ErrDuplicateKey, n.Names))
			continue
		}
		copyFields(back, row, it.val)
	}
	return fresh, bad.err()
}

// overwriting are what a row that is there gets: all but its key, its natural key, and its
// next version.
func (r *store) overwriting(c *call, it *item, columns []*schema.Field, g *group, n *natural) clause.Set {
	own := n.columns()
	if r.version != nil {
		own = append(own, r.version)
	}
	changed := without(r.updatable(columns), own)
	set := clause.Set{}
	if len(changed) > 0 {
		set = r.assignments(c, it, changed, without(g.defaulted, own))
	}
	if r.version != nil {
		return append(set, clause.Assignment{Column: clause.Column{Name: r.version.DBName}, Value: counted{r.version}})
	}
	if len(set) == 0 { // an assignment, so that the row is reported
		name := own[0].DBName
		set = append(set, clause.Assignment{Column: clause.Column{Name: name}, Value: clause.Column{Table: clause.CurrentTable, Name: name}})
	}
	return set
}

// queryFresh executes a statement that tells of each row whether it was inserted.
func (r *store) queryFresh(c *call, st *statement) (list []reflect.Value, fresh int, err error) {
	returning := st.returning
	err = r.run(c, st, func(tx *gorm.DB, st clause.Expression) *gorm.DB {
		res := tx.Raw("?", st)
		list, fresh, err = r.scanFresh(res, returning)
		_ = res.AddError(err)
		return res
	})
	c.wrote = c.wrote || err == nil
	return list, fresh, err
}

func (r *store) scanFresh(tx *gorm.DB, fields []*schema.Field) (list []reflect.Value, fresh int, err error) {
	rows, err := tx.Rows()
	if err != nil || rows == nil {
		return nil, 0, nil // tx has the error
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	ctx, isFresh := tx.Statement.Context, false
	values := append(make([]any, len(fields)), &isFresh)
	for rows.Next() {
		for i, f := range fields {
			values[i] = f.NewValuePool.Get()
		}
		if err := rows.Scan(values...); err != nil {
			return nil, 0, err
		}
		e := r.newValue()
		for i, f := range fields {
			if err := f.Set(ctx, e, values[i]); err != nil {
				return nil, 0, err
			}
			f.NewValuePool.Put(values[i])
		}
		list = append(list, e)
		if isFresh {
			fresh++
		}
	}
	return list, fresh, rows.Err()
}
