package dberr

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

// IsNoRows tells whether a query found nothing.
func IsNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// IsDuplicate tells whether err reports a broken unique index. For drivers that give
// no code the dialect translates. GORM's own translation may have been applied
// before, or not; and it looks at the outermost error only.
func IsDuplicate(err error, d gorm.Dialector) bool {
	if errors.Is(err, gorm.ErrDuplicatedKey) || State(err) == "23505" || lo.Contains([]int{1555, 2067}, SQLite(err)) {
		return true
	}
	translator, ok := d.(gorm.ErrorTranslator)
	return ok && anyInChain(err, func(err error) bool {
		return errors.Is(translator.Translate(err), gorm.ErrDuplicatedKey)
	})
}

// BlamesRow tells whether err is about what a row holds.
func BlamesRow(err error, d gorm.Dialector) bool {
	if IsDuplicate(err, d) {
		return true
	}
	if state := State(err); state != "" {
		return len(state) == 5 && (state[:2] == "22" || state[:2] == "23")
	}
	if code := SQLite(err); code != 0 {
		return code&0xff == 19 // SQLITE_CONSTRAINT
	}
	if lo.Contains([]string{"22", "23"}, mysqlClass(err)) || MySQL(err) == 3819 { // MySQL's own code for a CHECK
		return true
	}
	if translator, ok := d.(gorm.ErrorTranslator); ok {
		err = translator.Translate(err)
	}
	return errors.Is(err, gorm.ErrForeignKeyViolated) || errors.Is(err, gorm.ErrCheckConstraintViolated)
}

// RefusesInsert tells whether the database refuses a row although it need not be
// inserted: a column that the type does not have must not be NULL, one is always
// generated, or the role may only update.
func RefusesInsert(err error) bool {
	return err != nil && (lo.Contains([]string{"23502", "428C9", "42501"}, State(err)) || SQLite(err) == 1299)
}

// RefusesUpsert tells whether MariaDB takes no compound statement on this connection, or no
// INSERT for a row that need not be inserted.
func RefusesUpsert(err error) bool {
	// Syntax, prepared statements, no default value, rights on the table and its columns, a
	// view, types that do not compare.
	return lo.Contains([]uint64{1064, 1295, 1364, 1142, 1143, 1471, 4078}, MySQL(err))
}

// IsTooMany tells whether a statement had more parameters than the driver or the
// database takes.
func IsTooMany(err error) bool {
	text := err.Error()
	return MySQL(err) == 1390 || strings.Contains(text, "too many SQL variables") ||
		strings.Contains(text, "65535 parameters")
}

// TooMany is the error of such a statement.
func TooMany(err error) error { return fmt.Errorf("%w: %w", repo.ErrTooMany, err) }

// IsOverflow tells whether a sum was beyond what the database adds up.
func IsOverflow(err error) bool {
	return err != nil && SQLite(err) != 0 && strings.Contains(err.Error(), "integer overflow")
}

// IsOutOfRange tells whether a number that the database worked out was beyond its type, or
// a division by zero.
func IsOutOfRange(err error) bool {
	return err != nil && (lo.Contains([]string{"22003", "22012"}, State(err)) || lo.Contains([]uint64{1264, 1690}, MySQL(err)) || IsOverflow(err))
}

// IsDeadlock tells whether the database rolled the transaction back to let
// another one go on.
func IsDeadlock(err error) bool {
	if state := State(err); state != "" {
		return state == "40001" || state == "40P01"
	}
	return MySQL(err) == 1213
}

// IsAborted tells whether PostgreSQL refused a statement because an earlier one in its
// transaction had failed.
func IsAborted(err error) bool { return State(err) == "25P02" }

// IsLockTimeout tells whether the database gave up waiting for a lock.
func IsLockTimeout(err error) bool {
	return State(err) == "55P03" || MySQL(err) == 1205 || SQLite(err)&0xff == 5
}

// IsAnswer tells whether err is what the database said of a statement, so that
// this has not happened.
func IsAnswer(err error) bool {
	if state := State(err); len(state) == 5 {
		switch state[:2] {
		case "08", "57", "58", "XX": // the connection or the server went down
			return false
		}
		return state != "40003"
	}
	return MySQL(err) != 0 || SQLite(err) != 0
}

// IsUnsent tells whether err shows that nothing has reached the database.
func IsUnsent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	var retry interface{ SafeToRetry() bool }
	return errors.Is(err, driver.ErrBadConn) || errors.As(err, &retry) && retry.SafeToRetry()
}

// MayEndTx tells whether the database may have ended the transaction when a
// statement in it failed with err. MySQL goes on after a rollback of its own and
// commits what follows: there every error counts that is not about the statement
// alone, such as a deadlock, a lock wait (which innodb_rollback_on_timeout makes
// a rollback) and a broken connection. PostgreSQL refuses by itself whatever
// follows an error. SQLite has to be asked.
func MayEndTx(err error, dialect string) bool {
	if dialect != sqltext.MySQL {
		return false
	}
	// The classes of SQLSTATE that tell of a statement: wrong columns, data,
	// constraints, syntax and rights, and what a trigger signals.
	if lo.Contains([]string{"21", "22", "23", "42", "45"}, mysqlClass(err)) {
		return false
	}
	// MySQL gives no such class to: no default value, a wrong value, a CHECK, the
	// CHECK of a view.
	return !lo.Contains([]uint64{1364, 1366, 3819, 1369}, MySQL(err))
}

// Affected is the number of rows that a statement changed.
func Affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
