package gormrepo

import (
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm/clause"
)

// A statement takes a bounded number of parameters. A long list of values is one
// parameter where the database can take it apart: an array of PostgreSQL, JSON of
// SQLite. MySQL has no such bound where the driver writes values into the text.

// listed holds for rows whose column is one of a list.
type listed struct {
	column clause.Expression
	list   string
	form   string
}

// Build writes the condition with the list as a parameter.
func (l listed) Build(b clause.Builder) {
	l.column.Build(b)
	before, after, _ := strings.Cut(l.form, "?")
	write(b, before)
	b.AddVar(b, l.list)
	write(b, after)
}

// oneOf holds for rows whose column is one of the values.
func (d dialect) oneOf(column clause.Expression, values []any) clause.Expression {
	if len(values) <= idsPerStatement {
		return within{column, values}
	}
	var list string
	ok := false
	switch d.name {
	case postgres:
		list, ok = joined(values, "{", "}", arrayElement)
	case sqlite:
		list, ok = joined(values, "[", "]", jsonElement)
	}
	if !ok {
		return within{column, values}
	}
	return listed{column, list, map[string]string{postgres: " = ANY(?)", sqlite: " IN (SELECT value FROM json_each(?))"}[d.name]}
}

func joined(values []any, before, after string, element func(any) (string, bool)) (string, bool) {
	var b strings.Builder
	b.WriteString(before)
	for i, v := range values {
		plain, err := driver.DefaultParameterConverter.ConvertValue(v)
		if err != nil {
			return "", false
		}
		text, ok := element(plain)
		if !ok {
			return "", false
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(text)
	}
	b.WriteString(after)
	return b.String(), true
}

// arrayElement is a value in the text of an array of PostgreSQL.
func arrayElement(v any) (string, bool) {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	case string:
		return string(appendQuoted(nil, v)), true
	case []byte:
		return string(appendQuoted(nil, `\x`+hex.EncodeToString(v))), true
	case time.Time:
		return string(appendQuoted(nil, v.Format("2006-01-02 15:04:05.999999Z07:00"))), true
	default:
		return "", false
	}
}

// jsonElement is a value in a JSON list of SQLite, which has no bytes and keeps
// times in a form of the driver's.
func jsonElement(v any) (string, bool) {
	switch v := v.(type) {
	case int64, bool:
		return fmt.Sprint(v), true
	case string:
		text, err := json.Marshal(v)
		return string(text), err == nil && utf8.ValidString(v) && !strings.ContainsRune(v, 0)
	default:
		return "", false
	}
}

// within holds when a value is one of a list.
type within struct {
	left   clause.Expression
	values []any
}
