package config

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"github.com/holdfast-go/holdfast/drivers/internal/jdbc"
	"github.com/holdfast-go/holdfast/drivers/internal/secret"
)

// SQLTarget is a [SQLConfig] understood: the settings of the one Go driver that it
// is for. It holds the password; printing it shows the server alone.
type SQLTarget struct {
	Dialect  string          // Postgres, MySQL or SQLite
	Postgres *pgx.ConnConfig // settings of pgx, for this dialect alone
	MySQL    *mysql.Config   // settings of go-sql-driver/mysql, likewise
	SQLite   string          // DSN for modernc.org/sqlite, likewise
	// Memory says that the SQLite database lives in its one connection.
	Memory bool
	// InitSQL are statements that each new connection needs.
	InitSQL []string
	// ServerZone says that MySQL.Loc must be the zone of the server's sessions,
	// and CreateDatabase that the database must be made if it is not there.
	ServerZone     bool
	CreateDatabase bool
	// Interpolation says that the DSN tells whether MySQL's parameters go into the
	// text of a statement.
	Interpolation bool
	// Where names the server and the database, without a secret.
	Where string

	file    string // the path that a SQLite DSN names
	java    jdbc.Target
	secrets []string
}

// Resolve understands the configuration without any I/O. The error matches
// [ErrInvalid] and holds every mistake.
func (c SQLConfig) Resolve() (SQLTarget, error) {
	var p problems
	t := c.validate(&p)
	return t, p.err()
}

// String names the server.
func (t SQLTarget) String() string { return t.Where }

// Format implements fmt.Formatter; every verb prints what String returns.
func (t SQLTarget) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, t.String()) }

// Scrub hides the passwords in the text of an error. What it wraps still matches.
func (t SQLTarget) Scrub(err error) error { return secret.Scrub(err, t.secrets...) }

// The parsers of the drivers quote what they were given, password included.
// Their texts are therefore replaced, never wrapped.
const (
	badPostgres = "not a PostgreSQL URL or keyword string (in a URL, percent-encode a password's special characters, or give it apart)"
	badMySQL    = "not a MySQL URL or driver string (in a URL, percent-encode a password's special characters, or give it apart)"
)

func (c SQLConfig) resolve() (SQLTarget, *FieldError) {
	bad := func(field, problem string) (SQLTarget, *FieldError) {
		return SQLTarget{}, &FieldError{Field: field, Problem: problem}
	}
	if strings.TrimSpace(c.DSN) == "" {
		return bad("sql.dsn", "is not set")
	}
	dsn := strings.TrimSpace(c.DSN)
	dialect, ok := dialectName(c.Dialect)
	if !ok {
		return bad("sql.dialect", "is not one of postgres, mysql, mariadb and sqlite")
	}
	var (
		told string
		java jdbc.Target
	)
	if jdbc.Is(dsn) {
		var err error
		if java, err = jdbc.Parse(dsn); err != nil {
			return bad("sql.dsn", err.Error())
		}
		dsn, told = java.DSN, java.Dialect
	} else {
		told = dialectOf(dsn)
	}
	switch {
	case dialect == "" && told == "":
		return bad("sql.dialect", "is not set, and the dsn does not tell: say postgres, mysql or sqlite")
	case dialect == "":
		dialect = told
	case told != "" && told != dialect:
		return bad("sql.dialect", "says "+dialect+", but the dsn is one for "+told)
	}
	var (
		t   SQLTarget
		err error
	)
	switch dialect {
	case Postgres:
		t, err = c.resolvePostgres(dsn)
	case MySQL:
		t, err = c.resolveMySQL(dsn)
	default:
		t, err = resolveSQLite(dsn)
	}
	if err != nil {
		return bad("sql.dsn", err.Error())
	}
	t.Dialect, t.java = dialect, java
	t.ServerZone, t.CreateDatabase = java.ServerZone, java.CreateDatabase
	t.secrets = append(t.secrets, c.Password)
	if field, err := c.session(&t); err != nil {
		return bad(field, err.Error())
	}
	return t, nil
}

func dialectName(s string) (string, bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "":
		return "", true
	case Postgres, "postgresql":
		return Postgres, true
	case MySQL, "mariadb":
		return MySQL, true
	case SQLite, "sqlite3":
		return SQLite, true
	}
	return "", false
}

var (
	mysqlDSN    = regexp.MustCompile(`^([^@]*.*@)?(tcp|tcp6|unix)(\([^)]*\))?/`)
	postgresDSN = regexp.MustCompile(`^(host|hostaddr|port|user|password|dbname|sslmode|service)\s*=`)
)

// dialectOf guesses the dialect from the form of a DSN; "" when it cannot tell.
func dialectOf(dsn string) string {
	scheme, _, _ := strings.Cut(dsn, ":")
	switch strings.ToLower(scheme) {
	case "postgres", "postgresql":
		return Postgres
	case "mysql", "mariadb":
		if strings.Contains(dsn, "://") {
			return MySQL
		}
	case "sqlite", "sqlite3", "file":
		return SQLite
	}
	switch {
	case dsn == ":memory:":
		return SQLite
	case mysqlDSN.MatchString(dsn):
		return MySQL
	case postgresDSN.MatchString(dsn):
		return Postgres
	}
	return ""
}

func (c SQLConfig) resolvePostgres(dsn string) (SQLTarget, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return SQLTarget{}, errors.New(badPostgres)
	}
	if c.Username != "" {
		cfg.User = c.Username
	}
	if c.Password != "" {
		cfg.Password = c.Password
	}
	// A standby must never serve the read of a read-modify-write, but whether
	// one is listed at all is the user's choice; so target_session_attrs stays
	// as it is.
	cfg.ConnectTimeout = orDefault(cfg.ConnectTimeout, orDefault(c.DialTimeout, DefaultDialTimeout))
	host := net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port)))
	return SQLTarget{
		Postgres: cfg,
		Where:    fmt.Sprintf("postgres://%s/%s", host, plainName(cfg.Database)),
		secrets:  []string{cfg.Password},
	}, nil
}

func (c SQLConfig) resolveMySQL(dsn string) (SQLTarget, error) {
	if strings.Contains(dsn, "://") && !mysqlDSN.MatchString(dsn) {
		native, err := fromMySQLURL(dsn)
		if err != nil {
			return SQLTarget{}, err
		}
		dsn = native
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return SQLTarget{}, errors.New(badMySQL)
	}
	if c.Username != "" {
		cfg.User = c.Username
	}
	if c.Password != "" {
		cfg.Passwd = c.Password
	}
	// The repositories compare the number of matched rows with the number of
	// rows that they meant to write; without clientFoundRows MySQL counts only
	// those whose values changed. Entities have time.Time fields.
	cfg.ClientFoundRows = true
	cfg.ParseTime = true
	cfg.Logger = &mysql.NopLogger{}
	cfg.Timeout = orDefault(cfg.Timeout, orDefault(c.DialTimeout, DefaultDialTimeout))
	return SQLTarget{
		MySQL:         cfg,
		Interpolation: strings.Contains(dsn, "interpolateParams="),
		Where:         fmt.Sprintf("mysql://%s/%s", cfg.Addr, plainName(cfg.DBName)),
		secrets:       []string{cfg.Passwd},
	}, nil
}

// fromMySQLURL turns mysql://user:password@host:port/db?params into the
// driver's own form. The parameters are the driver's.
func fromMySQLURL(dsn string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Host == "" {
		return "", errors.New(badMySQL)
	}
	cfg := mysql.NewConfig()
	cfg.Net = "tcp"
	cfg.Addr = withPort(u.Host, "3306")
	cfg.DBName = strings.TrimPrefix(u.Path, "/")
	if u.User != nil {
		cfg.User = u.User.Username()
		cfg.Passwd, _ = u.User.Password()
	}
	native := cfg.FormatDSN()
	if u.RawQuery != "" {
		sep := "?"
		if strings.Contains(native, "?") {
			sep = "&"
		}
		native += sep + u.RawQuery
	}
	return native, nil
}

func withPort(host, port string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// plainName hides a database name that holds an @: it is then the end of a
// password with an unencoded slash in it.
func plainName(db string) string {
	if strings.ContainsAny(db, "@:") {
		return secret.Mask
	}
	return db
}
