package sqltext

import (
	"fmt"
	"strconv"
	"strings"
)

// The names that GORM gives the dialects.
const (
	Postgres = "postgres"
	MySQL    = "mysql" // and MariaDB
	SQLite   = "sqlite"
)

// Name quotes the name of a table, a column or a schema.
func Name(dialect, name string) string {
	if dialect == MySQL {
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Text is a value of the type text.
func Text(dialect, s string) string {
	switch {
	case dialect != MySQL:
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	case s == "":
		return "''"
	default: // needs no care for quotes, whatever the mode of the server is
		return fmt.Sprintf("_utf8mb4 x'%x'", s)
	}
}

// Bind numbers the parameters of a statement, which are question marks, where the
// database wants that.
func Bind(dialect, text string) string {
	if dialect != Postgres {
		return text
	}
	parts := strings.Split(text, "?")
	var b strings.Builder
	b.WriteString(parts[0])
	for i, part := range parts[1:] {
		b.WriteString("$" + strconv.Itoa(i+1) + part)
	}
	return b.String()
}
