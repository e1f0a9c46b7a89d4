package config

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/holdfast-go/holdfast/drivers/internal/secret"
)

// MongoTarget is a [MongoConfig] understood. It holds the password; printing it
// shows the hosts alone.
type MongoTarget struct {
	// Database is the one to use.
	Database string
	// Where names the hosts, without a secret.
	Where string

	conf    MongoConfig
	uri     string
	params  url.Values // keys in lower case
	secrets []string
}

// Resolve understands the configuration without any I/O. The error matches
// [ErrInvalid] and holds every mistake.
func (c MongoConfig) Resolve() (MongoTarget, error) {
	var p problems
	t := c.validate(&p)
	return t, p.err()
}

// String names the hosts.
func (t MongoTarget) String() string { return t.Where }

// Format implements fmt.Formatter; every verb prints what String returns.
func (t MongoTarget) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, t.String()) }

// Scrub hides the passwords in the text of an error. What it wraps still matches.
func (t MongoTarget) Scrub(err error) error { return secret.Scrub(err, t.secrets...) }

// Options gives the settings of the driver: writes are acknowledged by a majority
// and journaled, reads see what a majority has. It reads the files that the URI
// names, and looks up the hosts of a mongodb+srv URI. The error matches
// [ErrInvalid].
func (t MongoTarget) Options() (*options.ClientOptions, error) {
	opts := t.conf.clientOptions(t)
	if opts == nil {
		return nil, invalid("mongo.uri", "is refused by the driver: a parameter is wrong, a file that it names is unreadable, or its SRV record is missing")
	}
	return opts, nil
}

// The parser of the driver quotes the URI that it was given, so its text is
// replaced.
const badMongo = "not a MongoDB connection string (percent-encode a password's special characters, or give it apart)"

func (c MongoConfig) resolve() (MongoTarget, *FieldError) {
	bad := func(problem string) (MongoTarget, *FieldError) {
		return MongoTarget{}, &FieldError{Field: "mongo.uri", Problem: problem}
	}
	uri := strings.TrimSpace(c.URI)
	if uri == "" {
		return bad("is not set")
	}
	// Taken apart by hand: the driver's parser looks up the hosts of a
	// mongodb+srv:// and reads the files that a URI names.
	u, err := url.Parse(firstHost(uri))
	if err != nil || (u.Scheme != "mongodb" && u.Scheme != "mongodb+srv") || u.Host == "" {
		return bad(badMongo)
	}
	params := lowerKeys(u.Query())
	if w := params.Get("w"); w != "" && w != "majority" {
		return bad("asks for a write concern other than w=majority, with which a failover loses acknowledged writes")
	}
	if strings.EqualFold(params.Get("journal"), "false") {
		return bad("asks for writes that are not journaled, which a crash loses")
	}
	t := MongoTarget{
		conf:     c,
		uri:      uri,
		params:   params,
		Database: orDefault(c.Database, strings.TrimPrefix(u.Path, "/")),
		Where:    mongoWhere(uri),
		secrets:  []string{c.Password},
	}
	username := c.Username
	if u.User != nil {
		password, _ := u.User.Password()
		t.secrets = append(t.secrets, password, url.QueryEscape(password), url.PathEscape(password))
		username = orDefault(username, u.User.Username())
	}
	if c.Password != "" && username == "" {
		return MongoTarget{}, &FieldError{Field: "mongo.password", Problem: "is set without a user name"}
	}
	pure := u.Scheme == "mongodb" && !params.Has("tlscafile") && !params.Has("tlscertificatekeyfile") &&
		!params.Has("tlscertificatefile") && !params.Has("sslclientcertificatekeyfile") && !params.Has("sslcertificateauthorityfile")
	if pure && c.clientOptions(t) == nil {
		return bad(badMongo)
	}
	return t, nil
}

// clientOptions gives nil when the driver refuses the URI.
func (c MongoConfig) clientOptions(t MongoTarget) *options.ClientOptions {
	limit, params := orDefault(c.DialTimeout, DefaultDialTimeout), t.params
	opts := options.Client().ApplyURI(t.uri)
	if !params.Has("serverselectiontimeoutms") {
		opts.SetServerSelectionTimeout(limit)
	}
	if !params.Has("connecttimeoutms") {
		opts.SetConnectTimeout(limit)
	}
	journaled := true
	wc := writeconcern.Majority()
	wc.Journal = &journaled
	opts.SetWriteConcern(wc)
	if !params.Has("readconcernlevel") {
		opts.SetReadConcern(readconcern.Majority())
	}
	if c.Username != "" || c.Password != "" {
		cred := options.Credential{}
		if opts.Auth != nil {
			cred = *opts.Auth
		}
		cred.Username = orDefault(c.Username, cred.Username)
		cred.Password = orDefault(c.Password, cred.Password)
		cred.PasswordSet = cred.PasswordSet || c.Password != ""
		opts.SetAuth(cred)
	}
	if opts.Validate() != nil {
		return nil
	}
	return opts
}

// firstHost leaves one of the hosts in place, because net/url knows no list of
// them.
func firstHost(uri string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	user, hosts, tail := splitAuthority(rest)
	if i := strings.IndexByte(hosts, ','); i >= 0 {
		hosts = hosts[:i]
	}
	return scheme + "://" + user + hosts + tail
}

func splitAuthority(rest string) (user, hosts, tail string) {
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		rest, tail = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, rest = rest[:i+1], rest[i+1:]
	}
	return user, rest, tail
}

// mongoWhere names the hosts and nothing else.
func mongoWhere(uri string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	_, hosts, tail := splitAuthority(rest)
	if strings.Contains(tail, "@") {
		hosts = secret.Mask // an unencoded slash: hosts is the beginning of a password
	}
	return scheme + "://" + hosts
}

func lowerKeys(q url.Values) url.Values {
	out := url.Values{}
	for k, v := range q {
		out[strings.ToLower(k)] = v
	}
	return out
}
