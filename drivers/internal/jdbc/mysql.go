package jdbc

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

func mysqlTarget(rest string, maria bool) (Target, error) {
	hosts, database, params, err := parts(rest)
	if err != nil {
		return Target{}, err
	}
	cfg := mysql.NewConfig()
	cfg.Net = "tcp"
	if i := strings.LastIndexByte(hosts, '@'); i >= 0 { // Connector/J takes a login there
		login := hosts[:i]
		hosts = hosts[i+1:]
		user, password, _ := strings.Cut(login, ":")
		if cfg.User, err = url.PathUnescape(user); err == nil {
			cfg.Passwd, err = url.PathUnescape(password)
		}
		if err != nil {
			return Target{}, errors.New("the login in the JDBC URL is not percent-encoded as it must be: give the user name and the password apart")
		}
	}
	if strings.ContainsAny(hosts, ",()=") {
		return Target{}, errors.New("a JDBC URL for MySQL with several hosts is not supported: name one host")
	}
	if strings.ContainsAny(hosts, noHostName) {
		return Target{}, errors.New("the host of the JDBC URL is not a host name")
	}
	if hosts == "" {
		hosts = "localhost"
	}
	cfg.Addr = withPort(hosts, "3306")
	cfg.DBName = database
	s := &state{q: url.Values{}, params: params, maria: maria}
	s.Dialect = mysqlDB
	if err := s.translate(mysqlParams()); err != nil {
		return Target{}, err
	}
	if params.has("user") {
		cfg.User = params.get("user")
	}
	if params.has("password") {
		cfg.Passwd = params.get("password")
	}
	if err := s.zone(); err != nil {
		return Target{}, err
	}
	tls, err := s.tls()
	if err != nil {
		return Target{}, err
	}
	if tls != "" {
		s.q.Set("tls", tls)
	}
	s.DSN = cfg.FormatDSN()
	if len(s.q) > 0 {
		sep := "?"
		if strings.Contains(s.DSN, "?") {
			sep = "&"
		}
		s.DSN += sep + s.q.Encode()
	}
	return s.Target, nil
}

func withPort(host, port string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// zone follows Connector/J since 8.0.23: times are written and read in the zone of
// the connection, which is the one of the process unless the URL says otherwise.
// MariaDB's timezone does so and sets it in the session, too.
func (s *state) zone() error {
	s.ForceZone = s.yes("forceconnectiontimezonetosession")
	name := firstOf(s.params, "connectiontimezone", "servertimezone")
	if v := s.params.get("timezone"); v != "" && name == "" {
		switch strings.ToLower(v) {
		case "disable", "disabled":
		case "auto":
			s.ForceZone = true
		default:
			name, s.ForceZone = v, true
		}
	}
	keep := s.truth("preserveinstants") == "false" // no conversion, whatever the zone
	switch strings.ToUpper(name) {
	case "", "LOCAL":
		s.Zone = time.Local
	case "SERVER":
		if s.ForceZone = false; keep {
			s.Zone = time.Local
		} else {
			s.ServerZone = true
		}
		return nil
	default:
		loc, err := Zone(name)
		if err != nil {
			return errors.New("the JDBC parameter " + s.zoneName() + " " + err.Error())
		}
		s.Zone = loc
	}
	if s.ForceZone {
		s.q.Set("time_zone", "'"+SessionZone(s.Zone)+"'")
	}
	if keep {
		s.Zone = time.Local
	}
	return nil
}

func (s *state) zoneName() string {
	for _, n := range []string{"connectionTimeZone", "serverTimezone"} {
		if s.params.has(strings.ToLower(n)) {
			return n
		}
	}
	return "timezone"
}

// truth gives a parameter that is true or false, in one of its spellings, or "".
func (s *state) truth(name string) string {
	switch v := strings.ToLower(s.params.get(name)); v {
	case "yes":
		return "true"
	case "no":
		return "false"
	default:
		return v
	}
}

func (s *state) yes(name string) bool { return s.truth(name) == "true" }

func firstOf(params args, names ...string) string {
	for _, n := range names {
		if v := params.get(n); v != "" {
			return v
		}
	}
	return ""
}

// tls follows Connector/J: sslMode wins over the older parameters, and without any
// TLS is used where the server has it. MariaDB's driver uses none then. The Go
// driver has no mode that checks the authority but not the name, so VERIFY_CA
// checks both.
func (s *state) tls() (string, error) {
	switch strings.ReplaceAll(strings.ToUpper(s.params.get("sslmode")), "-", "_") {
	case "DISABLED", "DISABLE":
		return "false", nil
	case "PREFERRED":
		return "preferred", nil
	case "REQUIRED", "TRUST":
		return "skip-verify", nil
	case "VERIFY_CA", "VERIFY_IDENTITY", "VERIFY_FULL":
		return "true", nil
	case "":
	default:
		return "", errors.New("the JDBC parameter sslMode has a value without a counterpart here")
	}
	useSSL, verify := s.truth("usessl"), s.yes("verifyservercertificate")
	require := s.yes("requiressl")
	switch {
	case useSSL == "false":
		return "false", nil
	case verify && (useSSL == "true" || require):
		return "true", nil
	case require, useSSL == "true" && s.maria:
		return "skip-verify", nil
	case useSSL == "" && s.maria:
		return "", nil
	}
	return "preferred", nil
}

func millis(params ...string) func(*state, string) error {
	return func(s *state, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return errors.New("is not a number of milliseconds")
		}
		for _, p := range params {
			if n > 0 { // zero means no limit, which is the driver's default
				s.q.Set(p, strconv.Itoa(n)+"ms")
			}
		}
		return nil
	}
}

// sessionVariables takes a=1,b='x,y' apart. Each becomes a SET of the Go driver.
func sessionVariables(s *state, value string) error {
	for _, one := range splitVariables(value) {
		name, v, ok := strings.Cut(one, "=")
		name = strings.TrimPrefix(strings.TrimSpace(name), "@@")
		name = strings.TrimPrefix(strings.TrimPrefix(name, "session."), "SESSION ")
		if !ok || !variable.MatchString(name) {
			return errors.New("is not a list such as sql_mode='ANSI',time_zone='+00:00'")
		}
		s.q.Set(name, strings.TrimSpace(v))
	}
	return nil
}

func splitVariables(value string) []string {
	var out []string
	var quote rune
	depth, start := 0, 0
	for i, c := range value {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth--
		case (c == ',' || c == ';') && depth == 0:
			out = append(out, value[start:i])
			start = i + 1
		}
	}
	return append(out, value[start:])
}
