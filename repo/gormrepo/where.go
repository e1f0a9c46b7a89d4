package gormrepo

import (
	"context"
	"fmt"
	"slices"

	"github.com/samber/lo"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/internal/actor"
)

// UpdateWhere assigns to columns of all rows that satisfy the condition, by one UPDATE of
// GORM, so that its callbacks for updates see it; see repo.Writer. No hooks run.
func (r *store) UpdateWhere(ctx context.Context, where repo.Condition, set ...repo.Assignment) (int64, error) {
	n, err := r.updateWhere(ctx, where, set)
	return n, r.failed(ctx, "update where", err)
}

func (r *store) updateWhere(ctx context.Context, where repo.Condition, set []repo.Assignment) (n int64, err error) {
	if err := driver.Ended(ctx); err != nil {
		return 0, err
	}
	u, err := driver.CompileUpdate(r.entity.Type, where, set)
	if err != nil {
		return 0, err
	}
	if _, err := r.conditions(u.Where); err != nil {
		return 0, err
	}
	columns, err := r.assignable(u.Changes)
	if err != nil {
		return 0, err
	}
	err = r.writeOnce(ctx, func(c *call) error {
		conds, err := r.conditionsIn(c, u.Where)
		if err != nil {
			return err
		}
		set, err := r.assignedBy(c, u.Changes, columns)
		if err != nil {
			return err
		}
		n, err = r.update(c, set, append(conds, r.alive...))
		return err
	})
	additions := lo.Filter(u.Changes, func(ch driver.Change, _ int) bool { return ch.Add != nil })
	if len(additions) > 0 && dberr.IsOutOfRange(err) {
		err = additions[0].OutOfRange()
		if r.dialect.name == postgres { // which ends the transaction of ctx for any error
			stateIn(ctx).spoil(err)
		}
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// conditionsIn are conditions for a statement of the call.
func (r *store) conditionsIn(c *call, conds []driver.Cond) ([]clause.Expression, error) {
	if err := r.learnZonesOf(c.tx.Statement.Context, c.tx.Statement.ConnPool, conds); err != nil {
		return nil, err
	}
	list, err := r.conditions(conds)
	return []clause.Expression{all(list)}, err
}

// assignable are the columns of the changes.
func (r *store) assignable(changes []driver.Change) ([]*schema.Field, error) {
	columns := make([]*schema.Field, len(changes))
	for i, ch := range changes {
		o, err := r.operand(ch.Field)
		if column, ok := r.byPath[fmt.Sprint(ch.Index)]; ok {
			o, err = operand{column: column}, nil // a condition may not compare it
		}
		switch {
		case err != nil:
			return nil, err
		case o.isJSON():
			return nil, fmt.Errorf("%w: field %s of %s is a part of a column", repo.ErrUnsupported, ch.Field, r.entity.Type)
		case lo.Contains(r.duties(), o.column):
			return nil, fmt.Errorf("%w: field %s of %s is the repository's own", repo.ErrInvalid, ch.Field, r.entity.Type)
		case !o.column.Updatable || ch.Add != nil && o.column.Serializer != nil:
			return nil, fmt.Errorf("%w: field %s of %s: its tags do not allow it", repo.ErrUnsupported, ch.Field, r.entity.Type)
		}
		columns[i] = o.column
	}
	return columns, nil
}

// assignedBy are the values of columns that a change of rows sets, with the updated times and
// the version.
func (r *store) assignedBy(c *call, changes []driver.Change, columns []*schema.Field) (map[string]any, error) {
	it := &item{val: r.newValue()}
	by := actor.From(c.tx.Statement.Context)
	nobody := by == nil
	set := lo.Reject(r.updated, func(f *schema.Field, _ int) bool { return nobody && r.actors[f] != nil })
	for i, ch := range changes {
		if ch.Add == nil {
			if err := ch.Apply(it.val); err != nil {
				return nil, err
			}
			set = append(set, columns[i])
		}
	}
	now := r.now()
	for _, f := range r.updated {
		if err := r.stampField(c.tx.Statement.Context, f, it.val, now, by); err != nil {
			return nil, err
		}
	}
	if err := r.toUTC(c, []*item{it}); err != nil {
		return nil, err
	}
	values := r.assigned(c, it, set)
	for i, ch := range changes {
		if ch.Add != nil {
			values[columns[i].DBName] = addition{ch.Add, columns[i], r.dialect.name}
		}
	}
	if r.version != nil {
		values[r.version.DBName] = counted{r.version}
	}
	return values, nil
}

// DeleteWhere deletes or marks all rows that satisfy the condition, by one statement of
// GORM, so that its callbacks see it; see repo.Writer. No hooks run.
func (r *store) DeleteWhere(ctx context.Context, where repo.Condition) (int64, error) {
	n, err := r.deleteWhere(ctx, where)
	return n, r.failed(ctx, "delete where", err)
}

func (r *store) deleteWhere(ctx context.Context, where repo.Condition) (n int64, err error) {
	if err := driver.Ended(ctx); err != nil {
		return 0, err
	}
	conds, err := driver.CompileWhere(r.entity.Type, where)
	if err != nil {
		return 0, err
	}
	if _, err := r.conditions(conds); err != nil {
		return 0, err
	}
	err = r.writeOnce(ctx, func(c *call) error {
		list, err := r.conditionsIn(c, conds)
		if err != nil {
			return err
		}
		n, err = r.remove(c, list...)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Restore takes the deletion mark off the rows with the ids, all or none; see repo.Writer.
// No hooks run.
func (r *store) Restore(ctx context.Context, ids ...any) (int64, error) {
	n, err := r.restore(ctx, ids)
	return n, r.failed(ctx, "restore", err)
}

func (r *store) restore(ctx context.Context, ids []any) (n int64, err error) {
	if err := driver.Ended(ctx); err != nil {
		return 0, err
	}
	alive, ok := r.aliveValue()
	if !ok {
		return 0, fmt.Errorf("%w: %s has no deletion mark", repo.ErrInvalid, r.entity.Type)
	}
	keys, err := r.keys(ids)
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	err = r.write(ctx, func(c *call) error {
		n = 0
		set, err := r.assignedBy(c, nil, nil)
		if err != nil {
			return err
		}
		set[r.deleted[0].DBName] = alive
		for part := range slices.Chunk(keys, idsPerStatement) {
			done, err := r.update(c, set, []clause.Expression{r.keyIn(part), not{slices.Clone(r.alive)}})
			if err != nil {
				return err
			}
			n += done
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
