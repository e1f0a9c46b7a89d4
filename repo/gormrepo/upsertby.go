package gormrepo

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// natural is a natural key with its columns.
type natural struct {
	*driver.NaturalKey
	operands []operand
}

func (r *store) naturalKey(key *driver.NaturalKey) (*natural, error) {
	n := &natural{NaturalKey: key}
	for _, name := range key.Names {
		o, err := r.operand(name)
		if err == nil && (o.isJSON() || o.column.Serializer != nil) {
			err = fmt.Errorf("%w: field %s of %s is written by a serializer", repo.ErrUnsupported, name, r.entity.Type)
		}
		if err != nil {
			return nil, err
		}
		if !r.isKey(o.column) && lo.Contains(r.duties(), o.column) {
			return nil, fmt.Errorf("%w: field %s of %s is the repository's own", repo.ErrInvalid, name, r.entity.Type)
		}
		n.operands = append(n.operands, o)
	}
	return n, nil
}

func (n *natural) columns() []*schema.Field {
	return lo.Map(n.operands, func(o operand, _ int) *schema.Field { return o.column })
}

// identity is the key of an entity as the database has it, as a map key.
func (n *natural) identity(e reflect.Value) any { return identity(n.ValuesOf(e)) }

// duties are the columns that only the repository writes.
func (m *model) duties() []*schema.Field {
	list := slices.Concat(m.key, m.created, m.updated, m.deleted)
	if m.version != nil {
		list = append(list, m.version)
	}
	return list
}

// upsertBy saves entities by a natural key, all or none.
func (r *store) upsertBy(ctx context.Context, es []reflect.Value, key *driver.NaturalKey) (done repo.Upserted, err error) {
	n, err := r.naturalKey(key)
	if err != nil {
		return done, err
	}
	if err := driver.Ended(ctx); err != nil || len(es) == 0 {
		return done, err
	}
	items := r.strictItems(es)
	for _, it := range items {
		r.keepTimes(it.val, n.columns())
	}
	if err := n.Check(es); err != nil { // times that differed may be one in the column
		restoreAll(items)
		return done, err
	}
	conflicts, names := r.conflicts(ctx, n), false
	err = r.saveFound(ctx, items, func(c *call) (err error) {
		var inserted int
		// An entity without a key is no new one where its row is there.
		c.whole = conflicts && !names // a list without savepoints, which names nothing, comes first
		if conflicts && !lo.SomeBy(items, func(it *item) bool { return r.wantsKey(it.val) && len(r.made) == 0 }) {
			inserted, err = r.upsertConflicting(c, items, n)
		} else {
			inserted, err = r.upsertFound(c, items, n)
		}
		c.again = cannotConflict(err) || c.whole && len(items) > 1 && dberr.BlamesRow(err, r.db.Dialector)
		conflicts, names = conflicts && !cannotConflict(err), c.again
		done = repo.Upserted{Inserted: int64(inserted), Updated: int64(len(items) - inserted)}
		return err
	})
	if err != nil {
		return repo.Upserted{}, err
	}
	return done, nil
}

// upsertFound looks which rows there are, saves items, and returns how many were inserted.
func (r *store) upsertFound(c *call, items []*item, n *natural) (inserted int, err error) {
	found, err := r.findNatural(c, items, n)
	if err != nil {
		return 0, err
	}
	return len(items) - found, r.saveIn(c, items)
}

// findNatural locks the rows that have the natural keys of items, makes these overwrite
// them, and returns how many there are.
func (r *store) findNatural(c *call, items []*item, n *natural) (int, error) {
	rows, err := r.naturalRows(c, items, n)
	if err != nil {
		return 0, err
	}
	byKey := lo.GroupBy(rows, n.identity)
	var bad failures
	found := 0
	for _, it := range items {
		switch rows := byKey[n.identity(it.val)]; len(rows) {
		case 0:
		case 1:
			found++
			it.isNew, it.exists, it.was = false, true, r.entity.VersionOf(rows[0])
			copyFields(slices.Concat(r.key, r.created), rows[0], it.val)
			it.key = r.identity(it)
		default:
			bad.add(it.index, r.shownID(it.val), fmt.Errorf("%w: %d rows have its values of %q", repo.ErrDuplicateKey, len(rows), n.Names))
		}
	}
	return found, bad.err()
}

// naturalRows reads and locks the rows that may have the natural keys: a collation can take
// more values for equal than are.
func (r *store) naturalRows(c *call, items []*item, n *natural) ([]reflect.Value, error) {
	fields := slices.Concat(r.key, r.created, n.columns())
	if r.version != nil {
		fields = append(fields, r.version)
	}
	var rows []reflect.Value
	for part := range slices.Chunk(items, r.naturalChunk(n)) {
		if err := r.toUTC(c, part); err != nil {
			return nil, err
		}
		list := r.newList()
		res := through(c.tx, func(tx *gorm.DB) *gorm.DB {
			tx = tx.Session(&gorm.Session{SkipHooks: true}).Select(names(lo.Uniq(fields)))
			return r.forUpdate(r.live(tx)).Where(r.naturalIn(part, n)).Find(list.Interface())
		})
		if res.Error != nil {
			return nil, res.Error
		}
		rows = append(rows, valuesIn(list)...)
	}
	return rows, nil
}

// naturalChunk is how many keys one statement asks for. A list of one column is one
// parameter where the database can take it apart.
func (r *store) naturalChunk(n *natural) int {
	if len(n.operands) == 1 && r.dialect.name == postgres {
		return 10 * idsPerStatement
	}
	return idsPerStatement
}

func (r *store) naturalIn(items []*item, n *natural) clause.Expression {
	tuples := lo.Map(items, func(it *item, _ int) []any {
		return lo.Map(n.ValuesOf(it.val), func(v any, i int) any { return r.param(n.operands[i].column, v) })
	})
	if len(n.operands) == 1 {
		return r.dialect.oneOf(n.operands[0], lo.Map(tuples, func(t []any, _ int) any { return t[0] }))
	}
	columns := lo.Map(n.columns(), func(f *schema.Field, _ int) clause.Column {
		return clause.Column{Table: clause.CurrentTable, Name: f.DBName}
	})
	return rowIn{columns: columns, tuples: tuples, listed: r.dialect.name == sqlite}
}

// overwriteFound overwrites the rows that were found for items, and are locked.
func (r *store) overwriteFound(c *call, items []*item) error {
	for _, it := range items {
		if err := r.sameKey(it); err != nil {
			return r.itemError(it, err)
		}
	}
	return r.writeLocked(c, items, r.updatable(r.columns))
}
