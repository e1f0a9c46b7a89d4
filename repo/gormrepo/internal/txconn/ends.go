package txconn

import (
	"strings"

	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

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
		return dialect == sqltext.MySQL && second != "TEMPORARY"
	case "ALTER", "RENAME", "TRUNCATE", "GRANT", "REVOKE", "LOCK", "UNLOCK":
		return dialect == sqltext.MySQL
	case "SET":
		return dialect == sqltext.MySQL && strings.Contains(strings.ToLower(rest), "autocommit")
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
