package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/drivers/internal/secret"
)

// sqliteDefaults gives what every connection to SQLite gets unless the DSN says
// otherwise, with the other spellings of each parameter.
//
// WAL lets readers go on while one writer writes. The busy timeout makes that
// writer's rivals wait instead of failing. A transaction takes the write lock
// when it begins: one that begins deferred, reads and then writes fails at once
// when another wrote in between, whatever the timeout. FULL keeps what was
// acknowledged over a power failure. Times are written in UTC in a form that
// sorts as text; the driver's own form does not.
func sqliteDefaults() []sqliteDefault {
	return []sqliteDefault{
		{"_journal_mode", "WAL", "journal_mode", []string{"_journal"}},
		{"_busy_timeout", "10000", "busy_timeout", []string{"_timeout"}},
		{"_synchronous", "FULL", "synchronous", []string{"_sync"}},
		{"_foreign_keys", "1", "foreign_keys", []string{"_fk"}},
		{"_txlock", "immediate", "", nil},
		{"_time_format", "sqlite", "", []string{"_time_integer_format"}},
		{"_timezone", "UTC", "", nil},
	}
}

type sqliteDefault struct {
	name, value, pragma string
	aliases             []string
}

var driveLetter = regexp.MustCompile(`^[A-Za-z]:[\\/]`)

// resolveSQLite takes a path, :memory:, sqlite:PATH, sqlite://PATH or a file:
// URI, and gives the file: URI that the driver opens.
func resolveSQLite(dsn string) (SQLTarget, error) {
	path, query := dsn, ""
	isURI := strings.HasPrefix(dsn, "file:")
	for _, scheme := range []string{"sqlite3:", "sqlite:"} {
		if rest, ok := strings.CutPrefix(path, scheme); ok {
			path = strings.TrimPrefix(rest, "//")
			break
		}
	}
	if isURI || path != dsn {
		path, query, _ = strings.Cut(path, "?")
	}
	path = strings.TrimPrefix(path, "file:")
	if path == "" {
		return SQLTarget{}, errors.New("names no SQLite file")
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return SQLTarget{}, errors.New("the parameters of the SQLite file are not a query string")
	}
	memory := path == ":memory:" || params.Get("mode") == "memory"
	for _, d := range sqliteDefaults() {
		if sqliteHas(params, d.name, d.pragma, d.aliases) {
			continue
		}
		// An in-memory database has no log to write ahead, and one opened for
		// reading only cannot be switched.
		if d.pragma == "journal_mode" && (memory || params.Get("mode") == "ro" || params.Has("immutable")) {
			continue
		}
		params.Set(d.name, d.value)
	}
	file := path
	if !isURI {
		path = sqlitePath(path)
	} else if plain, err := url.PathUnescape(path); err == nil {
		file = plain
	}
	return SQLTarget{
		SQLite: fmt.Sprintf("file:%s?%s", path, params.Encode()),
		file:   file,
		Memory: memory,
		Where:  "sqlite:" + plainPath(path),
	}, nil
}

// plainPath hides a path that may be the DSN of another database.
func plainPath(path string) string {
	if strings.ContainsAny(path, "@=;()") {
		return secret.Mask
	}
	return path
}

// MissingFolder names the folder of a SQLite file that is not there, or is "".
// SQLite makes the file and no folder, and says no more than that it cannot open
// the file.
func (t SQLTarget) MissingFolder() string {
	if t.Dialect != SQLite || t.Memory {
		return ""
	}
	folder := filepath.Dir(t.file)
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return plainPath(folder)
}

func sqliteHas(params url.Values, name, pragma string, aliases []string) bool {
	if params.Has(name) || slices.ContainsFunc(aliases, params.Has) {
		return true
	}
	return pragma != "" && slices.ContainsFunc(params["_pragma"], func(p string) bool {
		return strings.HasPrefix(strings.ToLower(strings.TrimSpace(p)), pragma)
	})
}

// sqlitePath makes a path fit for a file: URI, where ?, # and % mean something
// else than themselves.
func sqlitePath(path string) string {
	if runtime.GOOS == "windows" {
		path = strings.ReplaceAll(path, `\`, "/")
		if driveLetter.MatchString(path) {
			path = "/" + path
		}
	}
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}
