package fence

import (
	"context"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// A statement of PostgreSQL that is put behind claims refuses by a value that cannot be
// converted, and the value is the reason: the database quotes it in its error, which
// undoes all of the statement. It needs no function in the database.
const (
	// refusedClaim: a claim is not accepted.
	refusedClaim = "holdfast: claim refused"
	// noRow: there is no live row of a key under its number, or the connection finds
	// another table than the one that the fence protects.
	noRow = "holdfast: no row of the key"
	// rowsLeft: not every row was written, because those that are marked as deleted
	// are left alone, or are not there.
	rowsLeft = "holdfast: a row was left"
)

// says tells whether err is the refusal of a statement for a reason.
func says(err error, reason string) bool {
	return dberr.State(err) == "22P02" && strings.Contains(err.Error(), `"`+reason+`"`) || txconn.Signals(err, reason)
}

// LeftRows tells whether a statement behind claims has found that it does not write
// all of its rows. A transaction finds out which.
func LeftRows(err error) bool { return err != nil && says(err, rowsLeft) }

// orSay is an expression that is one of the type when a condition holds, and an error
// else.
func orSay(cond, one, reason, as string) string {
	return "CAST(CASE WHEN " + cond + " THEN " + one + " ELSE '" + reason + "' END AS " + as + ")"
}

// Behind puts a statement of PostgreSQL or MariaDB that writes some rows behind claims, so
// that both are one. The rows are asked for only after the claims were stored: one that is
// locked before could be a deadlock.
//
// A statement that looks for rows must not be used: it would see them as they
// were before it waited for the fence. An UPDATE by key may: PostgreSQL looks again at
// a row that has changed meanwhile, and one that is not found is looked for in a
// transaction.
type Behind struct{ before, after expression }

// BehindBegins is how such a statement begins.
func (f *Fence) BehindBegins() string {
	if f.dialect == sqltext.MySQL {
		return txconn.AroundBegins
	}
	return "WITH holdfast_epoch AS"
}

// Behind puts a statement that writes some rows behind the claims.
func (f *Fence) Behind(s *Showing, rows int) *Behind {
	if f.dialect == sqltext.MySQL {
		return f.behindMariaDB(s, "COALESCE("+Left+", 1) <> 0")
	}
	claims, args := f.insertSQL(s)
	allowed, more := f.allowedSQL(s)
	note, op := f.noteCTE(s.op)
	before := "WITH " + f.epochCTE() + note + ", holdfast_shown AS (" + claims +
		"token = " + orSay(allowed, "CAST(excluded.token AS text)", refusedClaim, "bigint") + ", owner = excluded.owner, sub = excluded.sub" +
		" RETURNING " + orSay("f.live = 1"+f.sameTable(), "'1'", noRow, "integer") + "), holdfast_saved AS ("
	after := ") SELECT s.* FROM holdfast_saved s WHERE CASE WHEN (SELECT count(*) FROM holdfast_shown) > 0 THEN " +
		orSay("(SELECT count(*) FROM holdfast_saved) = CAST(? AS bigint)", "'true'", rowsLeft, "boolean") + " END"
	return &Behind{
		expression{text: before, args: append(append(op, args...), more...)},
		expression{text: after, args: []any{rows}, closes: true}, // a parameter, so that the text is the same for all
	}
}

// BehindUpdate is Behind for an UPDATE that changes all of its rows.
func (f *Fence) BehindUpdate(s *Showing, rows int) *Behind {
	if f.dialect == sqltext.MySQL {
		return f.behindMariaDB(s, "ROW_COUNT() <> "+strconv.Itoa(rows))
	}
	return f.Behind(s, rows)
}

// Wrap is a statement behind the claims.
func (b *Behind) Wrap(statement clause.Expression) clause.Expression {
	return wrapped{b, statement}
}

// Around makes GORM build the statement of tx, which has these clauses, behind the
// claims.
func (b *Behind) Around(tx *gorm.DB, clauses []string) {
	const before, after = "holdfast:before", "holdfast:after"
	s := tx.Statement
	s.Clauses[before], s.Clauses[after] = clause.Clause{Expression: b.before}, clause.Clause{Expression: b.after}
	s.BuildClauses = append(append([]string{before}, clauses...), after)
}

type wrapped struct {
	behind    *Behind
	statement clause.Expression
}

// Build writes the claims and the statement.
func (w wrapped) Build(b clause.Builder) {
	w.behind.before.Build(b)
	w.statement.Build(b)
	w.behind.after.Build(b)
}

// expression is a part of a statement with its parameters.
type expression struct {
	text string
	args []any
	// closes tells that it ends the statement behind the claims, which has to return
	// its rows to be counted.
	closes bool
}

// Build writes the text.
func (e expression) Build(b clause.Builder) {
	stmt, ok := b.(*gorm.Statement)
	if !ok {
		return
	}
	if _, returns := stmt.Clauses["RETURNING"]; e.closes && !returns {
		_, _ = stmt.WriteString(" RETURNING 1")
	}
	if len(e.args) == 0 { // and what looks like a parameter is a text
		_, _ = stmt.WriteString(e.text)
		return
	}
	parts := strings.Split(e.text, "?")
	_, _ = stmt.WriteString(parts[0])
	for i, part := range parts[1:] {
		stmt.AddVar(stmt, e.args[i])
		_, _ = stmt.WriteString(part)
	}
}

// Explain tells what an error of a statement behind claims means: nil when it is not
// about the claims.
func (f *Fence) Explain(ctx context.Context, s *Showing, err error) error {
	switch {
	case says(err, refusedClaim), says(err, noRow), txconn.IsUnchanged(err):
		if why := f.inspect(ctx, f.pool(), s); why != nil {
			return failed(s.claims, why)
		}
		return err
	case isMissing(err), isNullToken(err), dberr.IsLockTimeout(err):
		return failed(s.claims, err)
	default:
		return nil
	}
}
