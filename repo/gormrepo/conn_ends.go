package gormrepo

import (
	"reflect"
	"strings"

	"github.com/samber/lo"
)

// mayEnd tells whether the database may have ended the transaction when a
// statement in it failed with err. MySQL goes on after a rollback of its own and
// commits what follows: there every error counts that is not about the statement
// alone, such as a deadlock, a lock wait (which innodb_rollback_on_timeout makes
// a rollback) and a broken connection. PostgreSQL refuses by itself whatever
// follows an error. SQLite is asked; see conn.verify.
func mayEnd(err error, dialect string) bool {
	if dialect != mysql {
		return false
	}
	// The classes of SQLSTATE that tell of a statement: wrong columns, data,
	// constraints, syntax and rights, and what a trigger signals.
	if lo.Contains([]string{"21", "22", "23", "42", "45"}, mysqlState(err)) {
		return false
	}
	// MySQL gives no such class to: no default value, a wrong value, a CHECK, the
	// CHECK of a view.
	return !lo.Contains([]uint64{1364, 1366, 3819, 1369}, mysqlNumber(err))
}

// mysqlState is the class of the SQLSTATE that MySQL gives its errors, or empty.
// The driver, which is not imported, has it in a field.
func mysqlState(err error) (class string) {
	mysqlError(err, func(v reflect.Value) bool {
		if f := v.FieldByName("SQLState"); f.IsValid() && f.Kind() == reflect.Array && f.Len() == 5 {
			class = string([]byte{byte(f.Index(0).Uint()), byte(f.Index(1).Uint())})
		}
		return class != ""
	})
	return class
}

// endsTransaction tells whether a statement would begin or end a transaction, on
// MySQL also as the side effect of a definition. What it does afterwards would
// be outside of the transaction that the caller believes to be in.
func endsTransaction(text, dialect string) bool {
	first, rest := firstWord(text)
	second, _ := firstWord(rest)
	switch first {
	case "COMMIT", "BEGIN", "START", "END", "ABORT":
		return true
	case "ROLLBACK":
		return second != "TO"
	case "PREPARE":
		return second == "TRANSACTION"
	case "CREATE", "DROP":
		return dialect == mysql && second != "TEMPORARY"
	case "ALTER", "RENAME", "TRUNCATE", "GRANT", "REVOKE", "LOCK", "UNLOCK":
		return dialect == mysql
	case "SET":
		return dialect == mysql && strings.Contains(strings.ToLower(rest), "autocommit")
	default:
		return false
	}
}

// firstWord splits off the first word of a statement, in capitals, without the
// comments before it.
func firstWord(text string) (word, rest string) {
	for {
		text = strings.TrimLeft(text, " \t\r\n(;")
		switch {
		case strings.HasPrefix(text, "/*"):
			_, text, _ = strings.Cut(text, "*/")
		case strings.HasPrefix(text, "--"), strings.HasPrefix(text, "#"):
			_, text, _ = strings.Cut(text, "\n")
		default:
			n := strings.IndexFunc(text, func(r rune) bool { return (r|0x20 < 'a' || r|0x20 > 'z') && r != '_' })
			if n < 0 {
				n = len(text)
			}
			return strings.ToUpper(text[:n]), text[n:]
		}
	}
}
