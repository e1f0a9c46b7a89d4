package fence

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

const (
	// epochBits is where the epoch begins in a stored token.
	epochBits = 48

	// acceptSQL is the rule of repo.Claim.
	acceptSQL = "(f.token < excluded.token OR (f.token = excluded.token AND f.owner = excluded.owner AND f.sub < excluded.sub))"

	// moveEvery is after how many claims the row of a key gets another number on
	// PostgreSQL, on average. Its versions are found by key and number: more of them
	// take longer to look through while an old snapshot keeps them all, and another
	// number makes the next claim of each other process take longer.
	moveEvery = 256
)

// move draws whether the rows of the next claims get another number.
func move() int64 {
	if rand.IntN(moveEvery) == 0 { //nolint:gosec // nobody gains by guessing it
		return 1
	}
	return 0
}

// insertSQL begins the statement that shows claims, up to what it does with the
// rows that are there. On PostgreSQL a row is found by the key and a number that
// changes now and then. When the number is out of date the statement inserts a
// row that is not live: it must be rolled back then, or the row be deleted.
func (f *Fence) insertSQL(s *Showing) (text string, args []any) {
	columns, conflict, row := "k, token, owner, sub", "k", "(?, (SELECT value << 48 FROM "+f.name("meta")+" WHERE name = 'epoch') | ?, ?, ?)"
	if f.dialect == sqltext.Postgres {
		columns, conflict, row = "k, n, live, token, owner, sub", "k, n", "(?, ?, 0, (SELECT epoch FROM holdfast_epoch) | ?, ?, ?)"
	}
	moved := move()
	for _, c := range s.claims {
		args = append(args, c.Key)
		if f.dialect == sqltext.Postgres {
			n := f.row(c.Key)
			args = append(args, n)
			if moved > 0 {
				f.setRow(c.Key, n+moved) // else the next claim finds out
			}
		}
		args = append(args, c.Token, c.Owner, c.Sub)
	}
	text = "INSERT INTO " + f.name("fence") + " AS f (" + columns + ") VALUES " + strings.Repeat(row+", ", len(s.claims)-1) + row +
		" ON CONFLICT (" + conflict + ") DO UPDATE SET "
	if f.dialect == sqltext.Postgres {
		text += "n = f.n + ?, "
		args = append(args, moved)
	}
	return text, args
}

// allowedSQL is when a claim is accepted. Databases try it on the newest row,
// after they have waited for it. The guard of a key may have moved away from it
// since it was looked at.
func (f *Fence) allowedSQL(s *Showing) (text string, args []any) {
	text = acceptSQL
	if f.dialect == sqltext.Postgres {
		text = "f.live = 1 AND " + text
	}
	keys := s.guarding()
	text += strings.Repeat(" AND (f.k <> ? OR f.gen = ?)", len(keys))
	for _, key := range keys {
		args = append(args, key, s.guard.gen)
	}
	return text, args
}

// raiseSQL is the statement of PostgreSQL and SQLite. It affects a row for each
// claim that is accepted.
func (f *Fence) raiseSQL(s *Showing) (text string, args []any) {
	rows, args := f.insertSQL(s)
	allowed, more := f.allowedSQL(s)
	rows += "token = excluded.token, owner = excluded.owner, sub = excluded.sub WHERE " + allowed
	args = append(args, more...)
	if f.dialect == sqltext.Postgres {
		note, op := f.noteCTE(s.op)
		rows = "WITH " + f.epochCTE() + note + ", holdfast_shown AS (" + rows + f.sameTable() + " RETURNING f.live)" +
			" SELECT 1 FROM holdfast_shown WHERE live = 1"
		args = append(op, args...)
	}
	return f.bind(rows), args
}

// epochCTE reads the epoch of PostgreSQL and sets the limits of the transaction
// on the way, before the statement waits for the first time.
func (f *Fence) epochCTE() string {
	limits := ""
	if f.Limit > 0 {
		ms := max(1, f.Limit.Milliseconds())
		limits = fmt.Sprintf(", set_config('lock_timeout', '%d', true), set_config('idle_in_transaction_session_timeout', '%d', true)", ms, ms)
	}
	return "holdfast_epoch AS MATERIALIZED (SELECT value << 48 AS epoch" + limits + " FROM " + f.name("meta") + " WHERE name = 'epoch')"
}

// noteCTE notes that PostgreSQL commits the operation.
func (f *Fence) noteCTE(op string) (text string, args []any) {
	if op == "" {
		return "", nil
	}
	there, id := f.tables().opIn(op)
	return ", holdfast_note AS (INSERT INTO " + there.name("ops") + " (op, written) VALUES (?, true))", []any{id}
}

// mysqlRaise is the statement of MySQL. It affects a row when the claim is
// accepted, and never one that it leaves as it is, so that it does not matter
// which of the two the driver counts. Values are part of the text, because
// parameters would cost a round trip for preparing the statement.
func (f *Fence) mysqlRaise(s *Showing, c repo.Claim) string {
	t := f.tables()
	token, gen := fmt.Sprintf("((m.value << 48) | %d)", c.Token), ""
	if driver.Guards(s.guard.key, c.Key) {
		gen = fmt.Sprintf(" AND f.gen = %d", s.guard.gen)
	}
	return fmt.Sprintf("UPDATE %[5]s f JOIN %[6]s m ON m.name = 'epoch' SET f.token = %[1]s, f.owner = %[2]s, f.sub = %[3]d"+
		" WHERE f.k = %[4]s AND (f.token < %[1]s OR (f.token = %[1]s AND f.owner = %[2]s AND f.sub < %[3]d))%[7]s%[8]s",
		token, t.text(c.Owner), c.Sub, t.text(c.Key), t.name("fence"), t.name("meta"), gen, f.sameTable())
}
