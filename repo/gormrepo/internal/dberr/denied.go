package dberr

import (
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-go/holdfast/repo"
)

// isReadOnly tells whether the database takes no writes at all: a standby, a
// server that was told so, a file that may not be written.
func isReadOnly(err error) bool {
	switch MySQL(err) {
	case 1792, 1836: // the transaction, the server
		return true
	case 1290: // some option; its name is in the text
		return strings.Contains(err.Error(), "read-only") || strings.Contains(err.Error(), "read_only")
	}
	return State(err) == "25006" || SQLite(err)&0xff == 8
}

// IsDenied tells whether the role lacks a right.
func IsDenied(err error) bool {
	switch MySQL(err) {
	case 1044, 1142, 1143, 1227: // database, table, column, privilege
		return true
	}
	return State(err) == "42501"
}

// Denied says which right is missing, or that the database is read-only. Other
// errors stay as they are.
func Denied(err error, table, rights string) error {
	switch {
	case err == nil || errors.Is(err, repo.ErrDenied):
		return err
	case isReadOnly(err):
		return fmt.Errorf("%w: the database is read-only: %w", repo.ErrDenied, err)
	case IsDenied(err):
		return fmt.Errorf("%w: the role needs %s on %s: %w", repo.ErrDenied, rights, table, err)
	default:
		return err
	}
}
