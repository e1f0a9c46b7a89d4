package gormrepo

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

func newModel(db *gorm.DB, t reflect.Type) (*model, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%w: entity type %s is not a struct", repo.ErrInvalid, t)
	}
	stmt := &gorm.Statement{DB: db}
	if err := stmt.Parse(reflect.New(t).Interface()); err != nil {
		return nil, fmt.Errorf("%w: entity type %s: %w", repo.ErrInvalid, t, err)
	}
	m := &model{schema: stmt.Schema, byPath: map[string]*schema.Field{}, precision: map[*schema.Field]time.Duration{}}
	for _, f := range m.schema.Fields {
		if f.DBName != "" && m.schema.FieldsByDBName[f.DBName] == f {
			m.byPath[fmt.Sprint(pathOf(f))] = f
		}
	}
	if err := m.readKey(t); err != nil {
		return nil, err
	}
	if err := m.readDuties(); err != nil {
		return nil, err
	}
	m.readColumns()
	m.readPrecision(db)
	if err := m.readSoftDelete(db); err != nil {
		return nil, err
	}
	m.readDefaults()
	m.plainKey = len(m.key) == 1 && m.isPlain(m.key[0])
	m.merged = without(m.updatable(m.columns), append(m.counted(), m.created...))
	return m, nil
}

// pathOf is the path to a field as reflect knows it. GORM notes embedded
// pointers by negative numbers.
func pathOf(f *schema.Field) []int {
	path := make([]int, len(f.StructField.Index))
	for i, x := range f.StructField.Index {
		if x < 0 {
			x = -x - 1
		}
		path[i] = x
	}
	return path
}

// readKey takes GORM's primary key, else the field that is the key by the
// contract's other rules.
func (m *model) readKey(t reflect.Type) (err error) {
	if m.key = m.schema.PrimaryFields; len(m.key) > 0 {
		paths := make([][]int, len(m.key))
		for i, f := range m.key {
			paths[i] = pathOf(f)
		}
		m.entity, err = entity.ParseKeyed(t, paths)
	} else if m.entity, err = entity.Parse(t); err == nil {
		for _, k := range m.entity.Key {
			f, ok := m.byPath[fmt.Sprint(k.Index)]
			if !ok {
				return fmt.Errorf("%w: the key field %s of %s is no column", repo.ErrInvalid, k.Name, t)
			}
			m.key = append(m.key, f)
		}
	}
	if err != nil {
		return err
	}
	k := m.key[0].IndirectFieldType.Kind()
	m.isInt = len(m.key) == 1 && k >= reflect.Int && k <= reflect.Uint64
	m.made = lo.Filter(m.key, func(f *schema.Field, _ int) bool {
		// GORM numbers a part of a composite key that is called ID, too.
		_, told := f.TagSettings["AUTOINCREMENT"]
		return f.HasDefaultValue && f.DefaultValueInterface == nil && (len(m.key) == 1 || !f.AutoIncrement || told)
	})
	return nil
}

// readDuties finds the columns of the fields that have a duty.
func (m *model) readDuties() error {
	e := m.entity
	m.actors = map[*schema.Field]*entity.Field{}
	for _, d := range []struct {
		fields []*entity.Field
		put    func(*schema.Field)
	}{
		{[]*entity.Field{e.Version}, func(f *schema.Field) { m.version = f }},
		{e.Created, func(f *schema.Field) { m.created = append(m.created, f) }},
		{e.Updated, func(f *schema.Field) { m.updated = append(m.updated, f) }},
		{[]*entity.Field{e.Deleted}, func(f *schema.Field) { m.deleted = append(m.deleted, f) }},
	} {
		for _, marked := range lo.Compact(d.fields) {
			f, ok := m.byPath[fmt.Sprint(marked.Index)]
			if !ok {
				return fmt.Errorf("%w: the marked field %s of %s is no column", repo.ErrInvalid, marked.Name, e.Type)
			}
			d.put(f)
			if marked.ByActor {
				m.actors[f] = marked
			}
		}
	}
	for _, f := range m.byPath {
		if f.AutoCreateTime > 0 && !slices.Contains(m.created, f) {
			m.created = append(m.created, f)
		}
		// GORM lets one field be both, as its own migrations table does.
		if f.AutoUpdateTime > 0 && !slices.Contains(m.updated, f) {
			m.updated = append(m.updated, f)
		}
	}
	m.created = slices.DeleteFunc(m.created, func(f *schema.Field) bool { return slices.Contains(m.updated, f) })
	return nil
}

func (m *model) readColumns() {
	for _, name := range m.schema.DBNames {
		// A column that may be updated but not created is written by an upsert
		// all the same: the statement has no other place for its value.
		if f := m.schema.FieldsByDBName[name]; m.isKey(f) || f.Creatable || f.Updatable {
			m.columns = append(m.columns, f)
		}
	}
}

// readSoftDelete learns from GORM what a query on the type leaves out, so that
// statements which GORM does not build leave out the same.
func (m *model) readSoftDelete(db *gorm.DB) error {
	stmt := &gorm.Statement{DB: db, Schema: m.schema, Table: m.schema.Table, Clauses: map[string]clause.Clause{}}
	for _, c := range m.schema.QueryClauses {
		stmt.AddClause(c)
	}
	if w, ok := stmt.Clauses["WHERE"].Expression.(clause.Where); ok {
		m.alive = w.Exprs
	}
	for _, f := range m.byPath {
		if reflect.PointerTo(f.IndirectFieldType).Implements(reflect.TypeFor[schema.DeleteClausesInterface]()) {
			if !slices.Contains(m.deleted, f) {
				m.deleted = append(m.deleted, f)
			}
		} else if slices.Contains(m.deleted, f) {
			mark := clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: f.DBName}}
			m.unknown = append(m.unknown, mark)
			m.alive = append(m.alive, mark)
		}
	}
	if len(m.deleted) > 1 {
		return fmt.Errorf("%w: %s has two fields for a deletion mark", repo.ErrInvalid, m.entity.Type)
	}
	return nil
}

func (m *model) readZones(d dialect, opts Options) {
	if d.name != postgres || opts.TimesAsGiven {
		return
	}
	m.zones.times = lo.Filter(m.columns, func(f *schema.Field, _ int) bool {
		_, isTime := timeIn(reflect.New(f.FieldType).Elem())
		return isTime && f.Serializer == nil && (tagOf(f) == "" || isClock(tagOf(f)))
	})
}

var digits = regexp.MustCompile(`(?i)^(?:datetime|timestamp|timestamptz)(?:\((\d)\)|\b)`)

// readPrecision finds how precisely columns keep a time.
func (m *model) readPrecision(db *gorm.DB) {
	for _, f := range m.columns {
		if f.IndirectFieldType != reflect.TypeFor[time.Time]() || f.Serializer != nil {
			continue
		}
		found := digits.FindStringSubmatch(db.DataTypeOf(f))
		if len(found) == 0 || found[1] == "" && db.Name() != mysql { // which keeps seconds then
			continue
		}
		m.precision[f] = time.Second
		for n, _ := strconv.Atoi(found[1]); n > 0; n-- {
			m.precision[f] /= 10
		}
	}
}

// readDefaults finds the columns with a literal default that a save may write, but
// for those where it is the zero value.
func (m *model) readDefaults() {
	m.defaults = lo.Filter(m.updatable(m.columns), func(f *schema.Field, _ int) bool {
		zero := f.DefaultValueInterface != nil && reflect.ValueOf(f.DefaultValueInterface).IsZero()
		return f.Creatable && f.HasDefaultValue && isLiteralDefault(f) && !zero && !isNullDefault(f) &&
			f != m.version && !slices.Contains(m.updated, f)
	})
}
