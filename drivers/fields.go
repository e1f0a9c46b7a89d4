package drivers

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// value is what a file or the environment holds for one field.
type value struct {
	text string
	list []string // instead of text, when isList

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
	upper := false
	for _, r := range f.name {
		if r == '.' || unicode.IsUpper(r) && !upper {
			b.WriteByte('_')
		}
		if r != '.' {
			b.WriteRune(unicode.ToUpper(r))
		}
		upper = unicode.IsUpper(r)
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
		{"sql.schema", setText(func(c *Config) *string { return &c.SQL.Schema })},
		{"sql.initSQL", setText(func(c *Config) *string { return &c.SQL.InitSQL })},
		{"sql.isolation", setText(func(c *Config) *string { return &c.SQL.Isolation })},
		{"sql.readOnly", setBool(func(c *Config) *bool { return &c.SQL.ReadOnly })},
		{"sql.naming", setText(func(c *Config) *string { return &c.SQL.Naming })},
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
	errBool     = errors.New("is neither true nor false")
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

func setBool(at func(*Config) *bool) func(*Config, value) error {
	return func(c *Config, v value) error {
		b, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(v.text)))
		if err != nil || v.isList {
			return errBool
		}
		*at(c) = b
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
