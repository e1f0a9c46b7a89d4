package gormrepo

import (
	"fmt"
	"reflect"
	"slices"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
)

// overwriteVersions overwrites rows that still have the version in which their
// entities were read. An entity that came from outside, a document for instance,
// does not know when it was created, so that is read.
func (r *store) overwriteVersions(c *call, items []*item) error {
	if len(items) != 1 {
		return r.overwriteLocked(c, items)
	}
	n, err := r.overwriteVersion(c, items[0])
	if err != nil {
		return r.itemError(items[0], err)
	}
	if n == 0 {
		return r.missed(c, items)
	}
	if r.dialect.returning {
		return nil
	}
	return r.readBack(c, items, r.created)
}

// overwriteLocked does the same for many, in a few statements: an UPDATE of many
// rows does not tell which it has left alone.
func (r *store) overwriteLocked(c *call, items []*item) error {
	hit, missed, err := r.lockVersions(c, items, r.created)
	if err != nil {
		return err
	}
	if !r.opts.Revive {
		marked, err := r.marked(c, hit)
		if err != nil {
			return err
		}
		for _, it := range hit {
			if marked[it] {
				missed = append(missed, it)
			}
		}
		hit = slices.DeleteFunc(hit, func(it *item) bool { return marked[it] })
	}
	if err := r.missed(c, missed); err != nil {
		return err
	}
	return r.writeLocked(c, hit, r.updatable(r.columns))
}

// lockVersions locks the rows of items, gives these some of the columns that are stored, and
// tells apart those in the version in which their entities were read and all others,
// absent ones too.
func (r *store) lockVersions(c *call, items []*item, fields []*schema.Field) (hit, missed []*item, err error) {
	if err := r.lockDatabase(c); err != nil {
		return nil, nil, err
	}
	err = r.eachStored(c, items, append(slices.Clip(fields), r.version), func(it *item, row reflect.Value) {
		if !row.IsValid() || r.entity.VersionOf(row) != it.was {
			missed = append(missed, it)
			return
		}
		copyFields(fields, row, it.val)
		hit = append(hit, it)
	})
	return hit, missed, err
}

// overwriteVersion returns how many rows it has overwritten, and reads back when the row
// was created where the database reports that.
func (r *store) overwriteVersion(c *call, it *item) (int64, error) {
	left := r.left(c.tx.Statement.Context, it.val, false)
	set := r.assigned(c, it, without(r.updatable(r.columns), left))
	conds := []clause.Expression{r.keyIn(r.keysOf([]*item{it})), r.versionIs(it.was)}
	if r.opts.Revive {
		for _, f := range r.deleted {
			set[f.DBName], _ = r.aliveValue()
		}
	} else {
		conds = append(conds, r.alive...)
	}
	if r.dialect.returning && len(r.created) > 0 {
		return r.updateBack(c, it, set, conds, r.created)
	}
	return r.update(c, set, conds)
}

// versionIs holds for rows in a version. A row without one was stored before the
// type had it, and is in version 0.
func (r *store) versionIs(version int64) clause.Expression {
	is := clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: r.version.DBName}, Value: version}
	if version != 0 {
		return is
	}
	return either{is, clause.Eq{Column: is.Column}}
}

// missed says of each item why no row had its key and version. Those that were
// never stored are inserted.
func (r *store) missed(c *call, items []*item) error {
	if len(items) == 0 {
		return nil
	}
	rows, err := r.stored(c.tx, r.keysOf(items), r.key, false)
	if err != nil {
		return err
	}
	present, absent := r.split(items, rows)
	var bad failures
	var fresh []*item
	for _, it := range absent {
		if it.was == 0 {
			r.entity.SetVersion(it.val, r.firstVersion())
			fresh = append(fresh, it)
			continue
		}
		bad.add(it.index, r.shownID(it.val), fmt.Errorf("%w: the entity is gone", repo.ErrStale))
	}
	marked, err := r.marked(c, present)
	if err != nil {
		return err
	}
	for _, it := range present {
		if marked[it] && !r.opts.Revive {
			bad.add(it.index, r.shownID(it.val), errMarked())
			continue
		}
		bad.add(it.index, r.shownID(it.val), fmt.Errorf("%w: another version than %d is stored", repo.ErrStale, it.was))
	}
	if err := bad.err(); err != nil {
		return err
	}
	return r.insert(c, fresh)
}
