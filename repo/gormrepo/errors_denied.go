package gormrepo

import (
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-go/holdfast/repo"
)

// isReadOnly tells whether the database takes no writes at all: a standby, a
// server that was told so, a file that may not be written.
func isReadOnly(err error) bool {
	switch mysqlNumber(err) {
	case 1792, 1836: // the transaction, the server
		return true
	case 1290: // some option; its name is in the text
		return strings.Contains(err.Error(), "read-only") || strings.Contains(err.Error(), "read_only")
	}
	return sqlState(err) == "25006" || sqliteCode(err)&0xff == 8
}

// isDenied tells whether the role lacks a right.
func isDenied(err error) bool {
	switch mysqlNumber(err) {
	case 1044, 1142, 1143, 1227: // database, table, column, privilege
		return true
	}
	return sqlState(err) == "42501"
}

// denied says which right is missing, or that the database is read-only. Other
// errors stay as they are.
func denied(err error, table, rights string) error {
	switch {
	case err == nil || errors.Is(err, repo.ErrDenied):
		return err
	case isReadOnly(err):
		return fmt.Errorf("%w: the database is read-only: %w", repo.ErrDenied, err)
	case isDenied(err):
		return fmt.Errorf("%w: the role needs %s on %s: %w", repo.ErrDenied, rights, table, err)
	default:
		return err
	}
}

// deniedFence does so for statements about the tables of a fence.
func deniedFence(err error) error {
	return denied(err, "the tables holdfast_fence, holdfast_guard, holdfast_ops and holdfast_meta", "SELECT, INSERT and UPDATE, and CREATE to make them,")
}

// denied is about the fence when the database says so, else about the table of
// the entities.
func (r *Repository[T]) denied(err error, doing string) error {
	if isDenied(err) && strings.Contains(err.Error(), "holdfast_") {
		return deniedFence(err)
	}
	return denied(err, r.schema.Table, rightsFor(doing))
}

// rightsFor are what the calls of a repository need on its table.
func rightsFor(doing string) string {
	switch {
	case strings.HasPrefix(doing, "delete"):
		return "SELECT, UPDATE and DELETE"
	case strings.HasPrefix(doing, "find"), strings.HasPrefix(doing, "count"), strings.HasPrefix(doing, "exists"):
		return "SELECT"
	default:
		return "SELECT, INSERT and UPDATE"
	}
}
