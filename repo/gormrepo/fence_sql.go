package gormrepo

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-go/holdfast/repo"
)

const (
	// epochBits is where the epoch begins in a stored token.
	epochBits = 48

	// acceptSQL is the rule of repo.Claim.
	acceptSQL = "(f.token < excluded.token OR (f.token = excluded.token AND f.owner = excluded.owner AND f.sub < excluded.sub))"
)

// bind numbers the parameters where the database wants it.
func (t fenceTable) bind(text string) string { return t.bindFrom(text, 1) }

func (t fenceTable) bindFrom(text string, n int) string {
	if t.dialect != postgres {
		return text
	}
	parts := strings.Split(text, "?")
	var b strings.Builder
	b.WriteString(parts[0])
	for i, part := range parts[1:] {
		b.WriteString("$" + strconv.Itoa(n+i) + part)
	}
	return b.String()
}

func (t fenceTable) epochSQL() string {
	return "SELECT value FROM " + t.name("meta") + " WHERE name = 'epoch'"
}

// storedSQL reads a stored claim, the number of moves of its guards, and that of
// its row.
func (t fenceTable) storedSQL() string {
	if t.dialect == postgres {
		return "SELECT token, owner, sub, gen, n FROM " + t.name("fence") + " WHERE k = ? AND live = 1"
	}
	return "SELECT token, owner, sub, gen, 0 FROM " + t.name("fence") + " WHERE k = ?"
}

// insertSQL begins the statement that shows claims, up to what it does with the
// rows that are there. On PostgreSQL a row is found by the key and a number that
// changes now and then. When the number is out of date the statement inserts a
// row that is not live: it must be rolled back then, or the row be deleted.
func (t fenceTable) insertSQL(s showing) (text string, args []any) {
	columns, conflict, row := "k, token, owner, sub", "k", "(?, (SELECT value << 48 FROM "+t.name("meta")+" WHERE name = 'epoch') | ?, ?, ?)"
	if t.dialect == postgres {
		columns, conflict, row = "k, n, live, token, owner, sub", "k, n", "(?, ?, 0, (SELECT epoch FROM holdfast_epoch) | ?, ?, ?)"
	}
	moved := move()
	for _, c := range s.claims {
		args = append(args, c.Key)
		if t.dialect == postgres {
			n := t.row(c.Key)
			args = append(args, n)
			if moved > 0 {
				t.setRow(c.Key, n+moved) // else the next claim finds out
			}
		}
		args = append(args, c.Token, c.Owner, c.Sub)
	}
	text = "INSERT INTO " + t.name("fence") + " AS f (" + columns + ") VALUES " + strings.Repeat(row+", ", len(s.claims)-1) + row +
		" ON CONFLICT (" + conflict + ") DO UPDATE SET "
	if t.dialect == postgres {
		text += "n = f.n + ?, "
		args = append(args, moved)
	}
	return text, args
}

// allowedSQL is when a claim is accepted. Databases try it on the newest row,
// after they have waited for it. The guard of a key may have moved away from it
// since it was looked at.
func (t fenceTable) allowedSQL(s showing) (text string, args []any) {
	text = acceptSQL
	if t.dialect == postgres {
		text = "f.live = 1 AND " + text
	}
	if s.guard.key != "" {
		text += " AND (f.k <> ? OR f.gen = ?)"
		args = append(args, s.guard.key, s.guard.gen)
	}
	return text, args
}

// raiseSQL is the statement of PostgreSQL and SQLite. It affects a row for each
// claim that is accepted.
func (t fenceTable) raiseSQL(s showing) (text string, args []any) {
	rows, args := t.insertSQL(s)
	allowed, more := t.allowedSQL(s)
	rows += "token = excluded.token, owner = excluded.owner, sub = excluded.sub WHERE " + allowed
	args = append(args, more...)
	if t.dialect == postgres {
		note, op := t.noteCTE(s.op)
		rows = "WITH " + t.epochCTE() + note + ", holdfast_shown AS (" + rows + t.sameTable() + " RETURNING f.live)" +
			" SELECT 1 FROM holdfast_shown WHERE live = 1"
		args = append(op, args...)
	}
	return t.bind(rows), args
}

// divisionByZero is the error of a folded statement that does not write all of
// its rows, because those that are marked as deleted are left alone, or that met
// no live row of a key, or another table than was looked at. A transaction finds
// out which.
const divisionByZero = "22012"

// foldedSQL puts an INSERT of PostgreSQL behind its claims, so that both are one
// statement. A refused claim stores NULL, which is an error that undoes all of
// it. The rows are asked for only after the claims were stored: one that is
// locked before could be a deadlock.
//
// A statement that looks for rows must not be used: it would see them as they
// were before it waited for the fence. An UPDATE by key may: PostgreSQL looks again at
// a row that has changed meanwhile, and one that is not found is looked for in a
// transaction.
func (t fenceTable) foldedSQL(s showing, text string, first, rows int) (folded string, args []any) {
	claims, args := t.insertSQL(s)
	allowed, more := t.allowedSQL(s)
	note, op := t.noteCTE(s.op)
	args = slices.Concat(op, args, more)
	with := "WITH " + t.epochCTE() + note + ", holdfast_shown AS (" + claims +
		"token = CASE WHEN " + allowed + " THEN excluded.token END, owner = excluded.owner, sub = excluded.sub" +
		" RETURNING 1 / (CASE WHEN f.live = 1" + t.sameTable() + " THEN 1 ELSE 0 END))"
	return t.bindFrom(with, first) + ", holdfast_saved AS (" + text + ") SELECT s.* FROM holdfast_saved s" +
		" WHERE CASE WHEN (SELECT count(*) FROM holdfast_shown) > 0 THEN" +
		" 1 / (CASE WHEN (SELECT count(*) FROM holdfast_saved) = " + strconv.Itoa(rows) + " THEN 1 ELSE 0 END) = 1 END", args
}

// epochCTE reads the epoch of PostgreSQL and sets the limits of the transaction
// on the way, before the statement waits for the first time.
func (t fenceTable) epochCTE() string {
	limits := ""
	if t.limit > 0 {
		ms := max(1, t.limit.Milliseconds())
		limits = fmt.Sprintf(", set_config('lock_timeout', '%d', true), set_config('idle_in_transaction_session_timeout', '%d', true)", ms, ms)
	}
	return "holdfast_epoch AS MATERIALIZED (SELECT value << 48 AS epoch" + limits + " FROM " + t.name("meta") + " WHERE name = 'epoch')"
}

// noteCTE notes that PostgreSQL commits the operation.
func (t fenceTable) noteCTE(op string) (text string, args []any) {
	if op == "" {
		return "", nil
	}
	there, id := t.opIn(op)
	return ", holdfast_note AS (INSERT INTO " + there.name("ops") + " (op, written) VALUES (?, true))", []any{id}
}

// mysqlRaise is the statement of MySQL. It affects a row when the claim is
// accepted, and never one that it leaves as it is, so that it does not matter
// which of the two the driver counts. Values are part of the text, because
// parameters would cost a round trip for preparing the statement.
func (t fenceTable) mysqlRaise(s showing, c repo.Claim) string {
	token := fmt.Sprintf("((m.value << 48) | %d)", c.Token)
	gen := ""
	if c.Key == s.guard.key {
		gen = fmt.Sprintf(" AND f.gen = %d", s.guard.gen)
	}
	return fmt.Sprintf("UPDATE %[5]s f JOIN %[6]s m ON m.name = 'epoch' SET f.token = %[1]s, f.owner = %[2]s, f.sub = %[3]d"+
		" WHERE f.k = %[4]s AND (f.token < %[1]s OR (f.token = %[1]s AND f.owner = %[2]s AND f.sub < %[3]d))%[7]s%[8]s",
		token, literal(c.Owner), c.Sub, literal(c.Key), t.name("fence"), t.name("meta"), gen, t.sameTable())
}

// literal is a text of MySQL that needs no care for quotes.
func literal(s string) string {
	if s == "" {
		return "''"
	}
	return fmt.Sprintf("_utf8mb4 x'%x'", s)
}

// noteSQL notes that the transaction commits the operation.
func (t fenceTable) noteSQL(op string) string {
	there, id := t.opIn(op)
	return "INSERT INTO " + there.name("ops") + " (op, written) VALUES ('" + id + "', true)"
}

// isNullToken tells whether a claim without a token was to be stored: that is how
// a folded statement refuses it, and what comes of an epoch that is missing.
func isNullToken(err error) bool {
	return (sqlState(err) == "23502" || sqliteCode(err) == 1299) && strings.Contains(err.Error(), "holdfast_fence")
}

func isMissingFence(err error) bool {
	if errors.Is(err, sql.ErrNoRows) { // holdfast_meta is empty
		return true
	}
	missing := sqlState(err) == "42P01" || mysqlNumber(err) == 1146 || strings.Contains(err.Error(), "no such table")
	return missing && strings.Contains(err.Error(), "holdfast_")
}

// isLockTimeout tells whether the database gave up waiting for a lock.
func isLockTimeout(err error) bool {
	return sqlState(err) == "55P03" || mysqlNumber(err) == 1205 || sqliteCode(err)&0xff == 5
}

// sqlState is the code of PostgreSQL in an error, or empty.
func sqlState(err error) string {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState()
	}
	return ""
}

// sqliteCode is the extended code of SQLite in an error, or zero.
func sqliteCode(err error) int {
	var code interface{ Code() int }
	if errors.As(err, &code) {
		return code.Code()
	}
	return 0
}
