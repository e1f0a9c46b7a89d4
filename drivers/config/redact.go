package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/holdfast-go/holdfast/drivers/internal/secret"
)

// The configurations implement fmt.Formatter rather than fmt.Stringer alone,
// because verbs such as %d and %x print the fields of a Stringer.

// String describes the configuration without its passwords.
func (c Config) String() string {
	return fmt.Sprintf("{Etcd:%s SQL:%s Mongo:%s}", c.Etcd, c.SQL, c.Mongo)
}

// Format implements fmt.Formatter; every verb prints what String returns.
func (c Config) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) }

// LogValue implements slog.LogValuer.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("etcd", c.Etcd), slog.Any("sql", c.SQL), slog.Any("mongo", c.Mongo))
}

// String describes the configuration without its password.
func (c EtcdConfig) String() string {
	eps := make([]string, len(c.Endpoints))
	for i, ep := range c.Endpoints {
		eps[i] = maskURL(ep)
	}
	return describe("Endpoints", strings.Join(eps, ","), "CA", c.CA, "Cert", c.Cert, "Key", c.Key,
		"ServerName", c.ServerName, "Username", c.Username, "Password", masked(c.Password), "Proxy", maskURL(c.Proxy))
}

// Format implements fmt.Formatter; every verb prints what String returns.
func (c EtcdConfig) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) }

// LogValue implements slog.LogValuer.
func (c EtcdConfig) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON implements json.Marshaler; the result is for reading, not for
// loading.
func (c EtcdConfig) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// String describes the configuration without its password.
func (c SQLConfig) String() string {
	dsn := ""
	if c.DSN != "" {
		dsn = secret.Mask
		if t, err := c.resolve(); err == nil {
			dsn = t.Where
		}
	}
	return describe("Dialect", c.Dialect, "DSN", dsn, "Username", c.Username, "Password", masked(c.Password))
}

// Format implements fmt.Formatter; every verb prints what String returns.
func (c SQLConfig) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) }

// LogValue implements slog.LogValuer.
func (c SQLConfig) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON implements json.Marshaler; the result is for reading, not for
// loading.
func (c SQLConfig) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// String describes the configuration without its password.
func (c MongoConfig) String() string {
	uri := ""
	if c.URI != "" {
		uri = secret.Mask
		if t, err := c.resolve(); err == nil {
			uri = t.Where
		}
	}
	return describe("URI", uri, "Database", c.Database, "Username", c.Username, "Password", masked(c.Password))
}

// Format implements fmt.Formatter; every verb prints what String returns.
func (c MongoConfig) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) }

// LogValue implements slog.LogValuer.
func (c MongoConfig) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON implements json.Marshaler; the result is for reading, not for
// loading.
func (c MongoConfig) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// describe prints the pairs whose value is not empty.
func describe(pairs ...string) string {
	var parts []string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			parts = append(parts, pairs[i]+":"+pairs[i+1])
		}
	}
	return "{" + strings.Join(parts, " ") + "}"
}

func masked(s string) string {
	if s == "" {
		return ""
	}
	return secret.Mask
}

// maskURL drops what stands before the last @ of a URL's authority and all
// after it. It does not parse, because a URL with a wrong password in it often
// does not either.
func maskURL(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "", s
	} else {
		scheme += "://"
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = secret.Mask + "@" + rest[i+1:]
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	return scheme + rest
}
