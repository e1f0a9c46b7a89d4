package drivers

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// value is what a file or the environment holds for one field.
type value struct {
	text string
	list []string // instead of text, when isList
	line int

	isList bool
	spring bool // a bare number is a duration in milliseconds
}

// field is one field that can be set from outside. The same table serves the
// native format, the Spring properties and the environment.
type field struct {
	name string
	set  func(*Config, value) error
}

// env gives the environment variable of the field: etcd.dialTimeout is
// HOLDFAST_ETCD_DIAL_TIMEOUT.
func (f field) env() string {
	var b strings.Builder
	b.WriteString("HOLDFAST_")
	for _, r := range f.name {
		switch {
		case r == '.':
			b.WriteByte('_')
		case unicode.IsUpper(r):
			b.WriteByte('_')
			b.WriteRune(r)
		default:
			b.WriteRune(unicode.ToUpper(r))
		}
	}
	return b.String()
}

// allFields lists every field, those with longer names before those that they
// begin with.
func allFields() []field {
	return []field{
		{"etcd.endpoints", setList(func(c *Config) *[]string { return &c.Etcd.Endpoints })},
		{"etcd.ca", setText(func(c *Config) *string { return &c.Etcd.CA })},
		{"etcd.cert", setText(func(c *Config) *string { return &c.Etcd.Cert })},
		{"etcd.keepAliveTimeout", setDuration(func(c *Config) *time.Duration { return &c.Etcd.KeepAliveTimeout })},
		{"etcd.keepAliveTime", setDuration(func(c *Config) *time.Duration { return &c.Etcd.KeepAliveTime })},
		{"etcd.key", setText(func(c *Config) *string { return &c.Etcd.Key })},
		{"etcd.serverName", setText(func(c *Config) *string { return &c.Etcd.ServerName })},
		{"etcd.username", setText(func(c *Config) *string { return &c.Etcd.Username })},
		{"etcd.password", setText(func(c *Config) *string { return &c.Etcd.Password })},
		{"etcd.dialTimeout", setDuration(func(c *Config) *time.Duration { return &c.Etcd.DialTimeout })},
		{"etcd.proxy", setText(func(c *Config) *string { return &c.Etcd.Proxy })},
		{"sql.dialect", setText(func(c *Config) *string { return &c.SQL.Dialect })},
		{"sql.dsn", setText(func(c *Config) *string { return &c.SQL.DSN })},
		{"sql.username", setText(func(c *Config) *string { return &c.SQL.Username })},
		{"sql.password", setText(func(c *Config) *string { return &c.SQL.Password })},
		{"sql.maxOpenConns", setInt(func(c *Config) *int { return &c.SQL.MaxOpenConns })},
		{"sql.maxIdleConns", setInt(func(c *Config) *int { return &c.SQL.MaxIdleConns })},
		{"sql.connMaxLifetime", setDuration(func(c *Config) *time.Duration { return &c.SQL.ConnMaxLifetime })},
		{"sql.connMaxIdleTime", setDuration(func(c *Config) *time.Duration { return &c.SQL.ConnMaxIdleTime })},
		{"sql.dialTimeout", setDuration(func(c *Config) *time.Duration { return &c.SQL.DialTimeout })},
		{"mongo.uri", setText(func(c *Config) *string { return &c.Mongo.URI })},
		{"mongo.database", setText(func(c *Config) *string { return &c.Mongo.Database })},
		{"mongo.username", setText(func(c *Config) *string { return &c.Mongo.Username })},
		{"mongo.password", setText(func(c *Config) *string { return &c.Mongo.Password })},
		{"mongo.dialTimeout", setDuration(func(c *Config) *time.Duration { return &c.Mongo.DialTimeout })},
	}
}

// The errors of the setters never hold the value.
var (
	errList     = errors.New("is a list, but one value is expected")
	errInt      = errors.New("is not a whole number")
	errDuration = errors.New("is not a duration with a unit, such as 5s or 500ms")
)

func setText(at func(*Config) *string) func(*Config, value) error {
	return func(c *Config, v value) error {
		if v.isList {
			return errList
		}
		*at(c) = v.text
		return nil
	}
}

// setList takes a list or its items in one text with commas between them, as
// the Java starter and environment variables have it.
func setList(at func(*Config) *[]string) func(*Config, value) error {
	return func(c *Config, v value) error {
		items := v.list
		if !v.isList {
			items = strings.Split(v.text, ",")
		}
		var out []string
		for _, item := range items {
			if item = strings.TrimSpace(item); item != "" {
				out = append(out, item)
			}
		}
		*at(c) = out
		return nil
	}
}

func setInt(at func(*Config) *int) func(*Config, value) error {
	return func(c *Config, v value) error {
		if v.isList {
			return errList
		}
		n, err := strconv.Atoi(strings.TrimSpace(v.text))
		if err != nil {
			return errInt
		}
		*at(c) = n
		return nil
	}
}

func setDuration(at func(*Config) *time.Duration) func(*Config, value) error {
	return func(c *Config, v value) error {
		if v.isList {
			return errList
		}
		d, err := parseDuration(strings.TrimSpace(v.text), v.spring)
		if err != nil {
			return errDuration
		}
		*at(c) = d
		return nil
	}
}

// parseDuration refuses a number without a unit, which has cost people an
// evening, except where Spring gives it one.
func parseDuration(s string, spring bool) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil || !spring {
		return d, err
	}
	if n, err := strconv.ParseInt(s, 10, 40); err == nil {
		return time.Duration(n) * time.Millisecond, nil
	}
	if iso, ok := strings.CutPrefix(strings.ToLower(s), "pt"); ok {
		return time.ParseDuration(iso)
	}
	if days, ok := strings.CutSuffix(strings.ToLower(s), "d"); ok {
		n, err := strconv.ParseInt(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return 0, errDuration
}

// environ is the environment as it was when the load began.
type environ struct {
	vars     map[string]string
	squashed map[string]string // under the name without its underscores, in lower case
}

func newEnviron(list []string) environ {
	e := environ{vars: map[string]string{}, squashed: map[string]string{}}
	list = slices.Sorted(slices.Values(list)) // so that of two names that squash to one always the same wins
	for _, pair := range list {
		name, v, ok := strings.Cut(pair, "=")
		if ok && name != "" && v != "" {
			e.vars[name] = v
			e.squashed[squash(name)] = v
		}
	}
	return e
}

// squash reduces names to what Spring compares: key-cert, keyCert and KEY_CERT
// become the same.
func squash(name string) string {
	return strings.ToLower(strings.NewReplacer(".", "", "-", "", "_", "").Replace(name))
}
