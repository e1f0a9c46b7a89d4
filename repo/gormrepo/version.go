package gormrepo

import (
	"fmt"

	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/repo"
)

// overwriteVersions overwrites rows that still have the version in which their
// entities were read, one by one: only so does every database tell which of
// them did not.
func (r *Repository[T]) overwriteVersions(c *call, items []*item[T]) error {
	var hit, missed []*item[T]
	for _, it := range items {
		n, err := r.overwriteVersion(c, it)
		if err != nil {
			return r.itemError(it, err)
		}
		if n > 0 {
			hit = append(hit, it)
		} else {
			missed = append(missed, it)
		}
	}
	if err := r.missed(c, missed); err != nil {
		return err
	}
	// An entity that came from outside, a document for instance, does not know
	// when it was created.
	return r.readBack(c, hit, r.created)
}

func (r *Repository[T]) overwriteVersion(c *call, it *item[T]) (int64, error) {
	ctx := c.tx.Statement.Context
	set := map[string]any{}
	for _, f := range without(r.updatable(r.columns), r.left(ctx, it.val, false)) {
		set[f.DBName], _ = f.ValueOf(ctx, it.val)
	}
	conds := []clause.Expression{r.keyIn(r.keysOf([]*item[T]{it})), r.versionIs(it.was)}
	if r.opts.Revive {
		for _, f := range r.deleted {
			set[f.DBName], _ = r.aliveValue()
		}
	} else {
		conds = append(conds, r.alive...)
	}
	return r.update(c, set, conds)
}

// update sets columns of the rows that satisfy the conditions and returns how
// many there were.
func (r *Repository[T]) update(c *call, set map[string]any, conds []clause.Expression) (int64, error) {
	tx := c.tx.Model(new(T)).Unscoped().Clauses(clause.Where{Exprs: conds}).UpdateColumns(set)
	c.wrote = c.wrote || tx.RowsAffected > 0
	return tx.RowsAffected, tx.Error
}

func (r *Repository[T]) versionIs(version int64) clause.Expression {
	return clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: r.version.DBName}, Value: version}
}

// missed says of each item why no row had its key and version. Those that were
// never stored are inserted.
func (r *Repository[T]) missed(c *call, items []*item[T]) error {
	if len(items) == 0 {
		return nil
	}
	rows, err := r.stored(c.tx, r.keysOf(items), r.key, false)
	if err != nil {
		return err
	}
	present, absent := r.split(items, rows)
	var bad failures
	var fresh []*item[T]
	for _, it := range absent {
		if it.was == 0 {
			fresh = append(fresh, it)
			continue
		}
		bad.add(it.index, r.shownID(it.e), fmt.Errorf("%w: the entity is gone", repo.ErrStale))
	}
	marked, err := r.marked(c, present)
	if err != nil {
		return err
	}
	for _, it := range present {
		if marked[it] && !r.opts.Revive {
			bad.add(it.index, r.shownID(it.e), errMarked())
			continue
		}
		bad.add(it.index, r.shownID(it.e), fmt.Errorf("%w: another version than %d is stored", repo.ErrStale, it.was))
	}
	if err := bad.err(); err != nil {
		return err
	}
	return r.insert(c, fresh)
}
