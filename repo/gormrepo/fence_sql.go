package gormrepo

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast-go/holdfast/repo"
)

const (
	// epochBits is where the epoch begins in a stored token.
	epochBits = 48

	epochSQL  = "SELECT value FROM holdfast_meta WHERE name = 'epoch'"
	storedSQL = "SELECT token, owner, sub FROM holdfast_fence WHERE k = ?"
	// acceptSQL is the rule of repo.Claim.
	acceptSQL = "f.token < excluded.token OR (f.token = excluded.token AND f.owner = excluded.owner AND f.sub < excluded.sub)"
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

// raiseSQL is the statement of PostgreSQL and SQLite. It affects a row for each
// claim that is accepted.
func (t fenceTable) raiseSQL(s showing) (text string, args []any) {
	rows := "INSERT INTO holdfast_fence AS f (k, token, owner, sub) VALUES " + t.rows(len(s.claims)) +
		" ON CONFLICT (k) DO UPDATE SET token = excluded.token, owner = excluded.owner, sub = excluded.sub WHERE " + acceptSQL
	args = claimArgs(s.claims)
	if t.dialect == postgres {
		rows = "WITH " + t.epochCTE() + noteCTE(s.op) + " " + rows
		if s.op != "" {
			args = append([]any{s.op}, args...)
		}
	}
	return t.bind(rows), args
}

// divisionByZero is the error of a folded statement that does not write all of
// its rows: those that are marked as deleted are left alone.
const divisionByZero = "22012"

// foldedSQL puts an INSERT of PostgreSQL behind its claims, so that both are one
// statement. A refused claim stores NULL, which is an error that undoes all of
// it. The rows are asked for only after the claims were stored: one that is
// locked before could be a deadlock.
//
// A statement that looks for rows must not be used: it would see them as they
// were before it waited for the fence.
func (t fenceTable) foldedSQL(s showing, text string, first, rows int) (folded string, args []any) {
	with := "WITH " + t.epochCTE() + noteCTE(s.op) +
		", holdfast_shown AS (INSERT INTO holdfast_fence AS f (k, token, owner, sub) VALUES " + t.rows(len(s.claims)) +
		" ON CONFLICT (k) DO UPDATE SET token = CASE WHEN " + acceptSQL + " THEN excluded.token END," +
		" owner = excluded.owner, sub = excluded.sub RETURNING 1)"
	args = claimArgs(s.claims)
	if s.op != "" {
		args = append([]any{s.op}, args...)
	}
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
	return "holdfast_epoch AS MATERIALIZED (SELECT value << 48 AS epoch" + limits + " FROM holdfast_meta WHERE name = 'epoch')"
}

// noteCTE notes that PostgreSQL commits the operation.
func noteCTE(op string) string {
	if op == "" {
		return ""
	}
	return ", holdfast_note AS (INSERT INTO holdfast_ops (op, written) VALUES (?, true))"
}

func (t fenceTable) rows(n int) string {
	row := "(?, (SELECT value << 48 FROM holdfast_meta WHERE name = 'epoch') | ?, ?, ?)"
	if t.dialect == postgres {
		row = "(?, (SELECT epoch FROM holdfast_epoch) | ?, ?, ?)"
	}
	return strings.Repeat(row+", ", n-1) + row
}

func claimArgs(claims []repo.Claim) []any {
	args := make([]any, 0, 4*len(claims))
	for _, c := range claims {
		args = append(args, c.Key, c.Token, c.Owner, c.Sub)
	}
	return args
}

// mysqlRaise is the statement of MySQL. It affects a row when the claim is
// accepted, and never one that it leaves as it is, so that it does not matter
// which of the two the driver counts. Values are part of the text, because
// parameters would cost a round trip for preparing the statement.
func mysqlRaise(c repo.Claim) string {
	token := fmt.Sprintf("((m.value << 48) | %d)", c.Token)
	return fmt.Sprintf("UPDATE holdfast_fence f JOIN holdfast_meta m ON m.name = 'epoch' SET f.token = %[1]s, f.owner = %[2]s, f.sub = %[3]d"+
		" WHERE f.k = %[4]s AND (f.token < %[1]s OR (f.token = %[1]s AND f.owner = %[2]s AND f.sub < %[3]d))",
		token, literal(c.Owner), c.Sub, literal(c.Key))
}

// literal is a text of MySQL that needs no care for quotes.
func literal(s string) string {
	if s == "" {
		return "''"
	}
	return fmt.Sprintf("_utf8mb4 x'%x'", s)
}

// noteSQL notes that the transaction commits the operation, which is of letters
// and digits.
func (t fenceTable) noteSQL(op string) string {
	return "INSERT INTO holdfast_ops (op, written) VALUES ('" + op + "', true)"
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
