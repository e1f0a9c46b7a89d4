package jdbc

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/drivers/internal/mistake"
)

// Names of the dialects, as in package drivers.
const (
	postgres = "postgres"
	mysqlDB  = "mysql"
	sqlite   = "sqlite"
)

// Target is a JDBC URL understood.
type Target struct {
	Dialect string
	DSN     string // for the Go driver
	// MySQL: the zone in which the driver writes and reads times. Nil with
	// ServerZone means that the server has to be asked. With ForceZone the
	// session gets it as time_zone.
	Zone       *time.Location
	ServerZone bool
	ForceZone  bool
	// CreateDatabase makes the database when it is not there.
	CreateDatabase bool
	// InitSQL are statements that run on each new connection.
	InitSQL []string
	// Ignored are the parameters that change nothing here, sorted.
	Ignored []string
}

// Is says whether dsn is a JDBC URL.
func Is(dsn string) bool { return len(dsn) >= 5 && strings.EqualFold(dsn[:5], "jdbc:") }

// Parse understands a JDBC URL.
func Parse(dsn string) (Target, error) {
	rest := dsn[len("jdbc:"):]
	sub, rest, _ := strings.Cut(rest, ":")
	if problem := foreign(sub, rest); problem != "" {
		return Target{}, errors.New(problem)
	}
	switch strings.ToLower(sub) {
	case "postgresql":
		return postgresTarget(rest)
	case "mysql", "mariadb":
		return mysqlTarget(rest, strings.EqualFold(sub, "mariadb"))
	default:
		return sqliteTarget(rest)
	}
}

// Kind is what becomes of a parameter.
type Kind string

// The kinds.
const (
	Applied Kind = "applied"
	Ignored Kind = "ignored"
	Refused Kind = "refused"
)

// Param is one parameter of a Java driver.
type Param struct {
	Name string
	Kind Kind
	Why  string // what it becomes, or why not
	set  func(s *state, value string) error
}

// table holds parameters by their names in lower case: the Java drivers do not
// agree on whether case matters.
type table map[string]Param

// group adds parameters that share what becomes of them.
func (t table) group(kind Kind, why, names string) {
	for name := range strings.FieldsSeq(names) {
		t[strings.ToLower(name)] = Param{Name: name, Kind: kind, Why: why}
	}
}

func (t table) apply(name, why string, set func(s *state, value string) error) {
	t[strings.ToLower(name)] = Param{Name: name, Kind: Applied, Why: why, set: set}
}

// sorted gives the parameters by name.
func (t table) sorted() []Param {
	var out []Param
	for _, p := range t {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Param) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return out
}

// Params gives all known parameters of a dialect, for the documentation.
func Params(dialect string) []Param {
	switch dialect {
	case postgres:
		return postgresParams().sorted()
	case mysqlDB:
		return mysqlParams().sorted()
	}
	return sqliteParams().sorted()
}

// state carries the translation of one URL.
type state struct {
	Target
	q      url.Values // parameters of the Go driver
	params args       // of the URL
	maria  bool
}

// translate goes through the parameters and reports all that are wrong.
func (s *state) translate(t table) error {
	var bad []string
	for _, key := range slices.Sorted(maps.Keys(s.params)) {
		p, known := t[key]
		switch {
		case !known:
			bad = append(bad, unknown(s.params[key].name))
		case p.Kind == Refused:
			bad = append(bad, fmt.Sprintf("the JDBC parameter %s is not supported: %s", p.Name, p.Why))
		case p.set == nil:
			s.Ignored = append(s.Ignored, p.Name)
		default:
			if err := p.set(s, s.params[key].value); err != nil {
				bad = append(bad, fmt.Sprintf("the JDBC parameter %s %v", p.Name, err))
			}
		}
	}
	if len(bad) > 0 {
		return errors.New(strings.Join(bad, "; "))
	}
	return nil
}

// unknown names a parameter only if it looks like a name: what stands there may be
// the rest of a password that was not encoded.
func unknown(name string) string {
	if !mistake.LooksLikeName(name) {
		name = "(not a name)"
	}
	return "the JDBC parameter " + name + " has no counterpart here: leave it out, or give the DSN of the Go driver"
}

// args are the parameters of a URL, by name in lower case.
type args map[string]arg

type arg struct{ name, value string }

func (a args) get(name string) string { return a[name].value }

func (a args) has(name string) bool {
	_, ok := a[name]
	return ok
}

// parts splits //user@hosts/database?params, where all but the database may be
// absent.
func parts(rest string) (hosts, database string, params args, err error) {
	rest, query, _ := strings.Cut(rest, "?")
	if params, err = parseQuery(query); err != nil {
		return "", "", nil, err
	}
	if auth, ok := strings.CutPrefix(rest, "//"); ok {
		hosts, database, _ = strings.Cut(auth, "/")
	} else {
		database = rest
	}
	if database, err = url.PathUnescape(database); err != nil {
		return "", "", nil, errors.New("the database of the JDBC URL is not percent-encoded as it must be")
	}
	if strings.ContainsAny(database, "@") {
		return "", "", nil, errors.New("the JDBC URL has an @ in its database: give the user name and the password apart")
	}
	return hosts, database, params, nil
}

func parseQuery(query string) (args, error) {
	params := args{}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok { // the end of a value with an & in it, for all that is known
			return nil, errors.New("a parameter of the JDBC URL has no value; an & in a value is written %26")
		}
		value, err := url.QueryUnescape(value)
		if err != nil {
			return nil, errors.New("a parameter of the JDBC URL is not percent-encoded as it must be")
		}
		key := strings.ToLower(name)
		if old, twice := params[key]; twice && old.value != value {
			if !mistake.LooksLikeName(name) {
				name = "(not a name)"
			}
			return nil, fmt.Errorf("the JDBC parameter %s is given twice", name)
		}
		params[key] = arg{name, value}
	}
	return params, nil
}

// Arg gives the value of a parameter in the URL, whatever the case of its name.
func Arg(dsn, name string) (value string, ok bool) {
	_, query, _ := strings.Cut(dsn, "?")
	params, err := parseQuery(query)
	a, ok := params[strings.ToLower(name)]
	return a.value, err == nil && ok
}

// With adds a parameter to a JDBC URL.
func With(dsn, name, value string) string {
	sep := "?"
	if strings.Contains(dsn, "?") {
		sep = "&"
	}
	return dsn + sep + name + "=" + url.QueryEscape(value)
}

// noHostName is what an unencoded part of a password may leave in the hosts.
const noHostName = "/?# %"

// WithDatabase puts another database in a JDBC URL.
func WithDatabase(dsn, database string) string {
	base, query, has := strings.Cut(dsn, "?")
	i := strings.Index(base, "//")
	if i < 0 {
		return dsn
	}
	host, _, _ := strings.Cut(base[i+2:], "/")
	base = base[:i+2] + host + "/" + url.PathEscape(database)
	if has {
		base += "?" + query
	}
	return base
}
