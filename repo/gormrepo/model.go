package gormrepo

import (
	"context"
	"database/sql/driver"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// model is what GORM's schema and the markers say of the entity type.
type model struct {
	entity *entity.Entity
	schema *schema.Schema
	key    []*schema.Field
	// precision is how precisely columns keep a time, as far as their types say so.
	precision map[*schema.Field]time.Duration
	// made are the fields of the key that the database makes while they are zero.
	made []*schema.Field
	// isInt tells whether the key is one integer.
	isInt bool
	// plainKey tells whether it is one field that holds just what its column gets.
	plainKey bool
	version  *schema.Field
	// created and updated are the fields that carry the times: the marked ones
	// and those that GORM fills by its conventions; and those that say who it was.
	created, updated []*schema.Field
	// actors are those of them that say who it was.
	actors map[*schema.Field]*entity.Field
	// deleted are the fields that carry a deletion mark.
	deleted []*schema.Field
	// alive holds for rows that are not marked. unknown is the part of it
	// that GORM does not know and so does not add to queries by itself.
	alive, unknown []clause.Expression
	// columns are what a full write of a row writes, the key included.
	columns []*schema.Field
	// merged are those that a merge may change.
	merged []*schema.Field
	// defaults are those with a literal default.
	defaults []*schema.Field
	byPath   map[string]*schema.Field
	// zones knows which of them keep a clock time.
	zones zones
}

func (m *model) isKey(f *schema.Field) bool { return slices.Contains(m.key, f) }

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

// without are the fields that are not in the other list.
func without(fields, other []*schema.Field) []*schema.Field {
	return slices.DeleteFunc(slices.Clone(fields), func(f *schema.Field) bool { return slices.Contains(other, f) })
}
