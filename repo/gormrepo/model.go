package gormrepo

import (
	"context"
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// model is what GORM's schema and the markers say of the entity type.
type model struct {
	entity *entity.Entity
	schema *schema.Schema
	key    []*schema.Field
	// precision is how precisely each column of the key keeps a time, zero where
	// that does not matter.
	precision []time.Duration
	// made are the fields of the key that the database makes while they are zero.
	made []*schema.Field
	// isInt tells whether the key is one integer.
	isInt   bool
	version *schema.Field
	// created and updated are the fields that carry the times: the marked ones
	// and those that GORM fills by its conventions.
	created, updated []*schema.Field
	// deleted are the fields that carry a deletion mark.
	deleted []*schema.Field
	// alive holds for rows that are not marked. unknown is the part of it
	// that GORM does not know and so does not add to queries by itself.
	alive, unknown []clause.Expression
	// columns are what a full write of a row writes, the key included.
	columns []*schema.Field
	// defaults are those with a literal default.
	defaults []*schema.Field
	byPath   map[string]*schema.Field
	// zones knows which of them keep a clock time.
	zones zones
}

func newModel(db *gorm.DB, t reflect.Type) (*model, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%w: entity type %s is not a struct", repo.ErrInvalid, t)
	}
	stmt := &gorm.Statement{DB: db}
	if err := stmt.Parse(reflect.New(t).Interface()); err != nil {
		return nil, fmt.Errorf("%w: entity type %s: %w", repo.ErrInvalid, t, err)
	}
	m := &model{schema: stmt.Schema, byPath: map[string]*schema.Field{}}
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

func (m *model) isKey(f *schema.Field) bool { return slices.Contains(m.key, f) }

// readDuties finds the columns of the fields that have a duty.
func (m *model) readDuties() error {
	e := m.entity
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

// aliveValue is what the deletion mark holds in a row that is not marked.
func (m *model) aliveValue() (any, bool) {
	if len(m.alive) != 1 {
		return nil, false
	}
	eq, ok := m.alive[0].(clause.Eq)
	return eq.Value, ok
}

// updatable are the columns that overwriting a row changes.
func (m *model) updatable(columns []*schema.Field) []*schema.Field {
	return slices.DeleteFunc(slices.Clone(columns), func(f *schema.Field) bool {
		return m.isKey(f) || !f.Updatable || slices.Contains(m.created, f) || slices.Contains(m.deleted, f)
	})
}

// left are the columns whose value in e the database decides: those with a
// default that only the database knows, while they are zero. The key can be
// among them where a row is inserted.
func (m *model) left(ctx context.Context, e reflect.Value, inserted bool) []*schema.Field {
	var fields []*schema.Field
	for _, f := range m.schema.FieldsWithDefaultDBValue {
		if !inserted && (m.isKey(f) || isLiteralDefault(f)) || slices.Contains(m.deleted, f) {
			continue
		}
		if _, zero := f.ValueOf(ctx, e); zero {
			fields = append(fields, f)
		}
	}
	return fields
}

// isLiteralDefault tells whether the default is written out in the tag: GORM knows
// only those of some types, and takes the others for what the database decides.
func isLiteralDefault(f *schema.Field) bool {
	text := strings.ToLower(strings.TrimSpace(f.DefaultValue))
	for strings.HasPrefix(text, "(") && strings.HasSuffix(text, ")") {
		text = strings.TrimSpace(text[1 : len(text)-1])
	}
	if text == "" {
		return false
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return true
	}
	return f.DefaultValueInterface != nil || lo.Contains([]string{"null", "true", "false"}, text) ||
		strings.ContainsRune("'\"{[", rune(text[0])) || strings.HasPrefix(text, "array[")
}

// isNullDefault tells whether the zero value stands for NULL.
func isNullDefault(f *schema.Field) bool {
	return strings.EqualFold(strings.TrimSpace(f.DefaultValue), "null")
}

// keyColumns names the key's columns in conditions.
func (m *model) keyColumns() []clause.Column {
	columns := make([]clause.Column, len(m.key))
	for i, f := range m.key {
		columns[i] = clause.Column{Table: clause.CurrentTable, Name: f.DBName}
	}
	return columns
}

func names(fields []*schema.Field) []string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.DBName
	}
	return list
}

// identity is a value that is == for keys which are one key to the database.
func identity(key []any) any {
	plain := make([]any, len(key))
	for i, k := range key {
		plain[i] = stored(k)
	}
	return entity.Comparable(plain)
}

// stored is what the database gets for a part of a key, without what it does
// not keep, as a time's zone.
func stored(k any) any {
	switch v := k.(type) {
	case time.Time:
		return v.UnixMicro()
	case []byte:
		return string(v)
	}
	v := reflect.ValueOf(k)
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		if _, ok := k.(driver.Valuer); !ok {
			return stored(v.Elem().Interface())
		}
	}
	if valuer, ok := k.(driver.Valuer); ok {
		if x, err := valuer.Value(); err == nil {
			switch x := x.(type) {
			case time.Time:
				return x.UnixMicro()
			case []byte:
				return string(x)
			}
			return x
		}
	}
	return k
}
