package fence

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// failed gives an error of a statement of the fence the sentinel that the caller
// decides by.
func failed(claims []repo.Claim, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, repo.ErrUnsupported):
		return err
	case isMissing(err), isNullToken(err): // there is no epoch
		return missing(err)
	case dberr.IsLockTimeout(err):
		keys := lo.Map(claims, func(c repo.Claim, _ int) string { return fmt.Sprintf("%q", c.Key) })
		return fmt.Errorf("%w: the fence of %s: %w", repo.ErrBusy, strings.Join(keys, ", "), err)
	default:
		return err
	}
}

// errNone is why tables are said to be missing that nobody asked for.
var errNone = errors.New("there are none")

// missing is the error of a database without the tables, or with empty ones.
func missing(err error) error {
	return fmt.Errorf("%w: the tables of the fence are missing: run gormrepo.MigrateFence, or what gormrepo.FenceDDL returns: %w", repo.ErrUnsupported, err)
}

func isMissing(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, sql.ErrNoRows) { // holdfast_meta is empty
		return true
	}
	none := dberr.State(err) == "42P01" || dberr.MySQL(err) == 1146 || strings.Contains(err.Error(), "no such table")
	return none && strings.Contains(err.Error(), "holdfast_")
}

// isNullToken tells whether the statement would have stored a claim without a token, which
// comes of an epoch that is missing.
func isNullToken(err error) bool {
	return (dberr.State(err) == "23502" || dberr.SQLite(err) == 1299) && strings.Contains(err.Error(), "holdfast_fence")
}

// Denied says which rights on the tables are missing.
func Denied(err error) error {
	return dberr.Denied(err, "the tables holdfast_fence, holdfast_guard, holdfast_ops and holdfast_meta", "SELECT, INSERT and UPDATE, and CREATE to make them,")
}

// againError says that a claim was refused and may be accepted now.
type againError struct {
	*repo.FencedError
	// absent are the keys that have no row yet.
	absent []string
}

func asAgain(err error) (*againError, bool) { return errors.AsType[*againError](err) }
