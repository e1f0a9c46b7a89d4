package drivers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

type mongoTarget struct {
	uri      string
	params   url.Values // keys in lower case
	database string
	where    string
	secrets  []string
}

// OpenMongo connects to a MongoDB deployment and waits until its primary
// answers. Writes are acknowledged by a majority and journaled, and reads see
// only what a majority has; a URI that asks for a weaker write concern is
// refused, because a failover then loses acknowledged writes.
//
// It returns an error that matches [ErrInvalid] when the configuration is
// wrong, one that matches [ErrAuthentication] when the login or a certificate is
// refused, and one that matches [ErrUnavailable] when the primary did not answer
// within DialTimeout or before ctx ended. Both name the hosts. Nothing is left
// open then. Close the client by its Disconnect method.
func OpenMongo(ctx context.Context, c MongoConfig) (*mongo.Client, error) {
	var p problems
	t := c.validate(&p)
	if err := p.err(); err != nil {
		return nil, fmt.Errorf("drivers: open mongo: %w", err)
	}
	limit := orDefault(c.DialTimeout, DefaultDialTimeout)
	fail := func(err error) error {
		return fmt.Errorf("drivers: open mongo: %s: %w: %w", t.where, openError(err), scrub(err, t.secrets...))
	}
	opts := c.clientOptions(t)
	if opts == nil {
		return nil, fmt.Errorf("drivers: open mongo: %w",
			invalid("mongo.uri", "is refused by the driver: a parameter is wrong, a file that it names is unreadable, or its SRV record is missing"))
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		return nil, fail(err)
	}
	pingCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := client.Ping(pingCtx, readpref.Primary()); err != nil {
		// The way out has a limit of its own, since ctx may be over.
		closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		return nil, fail(errors.Join(err, client.Disconnect(closeCtx)))
	}
	return client, nil
}

// The parser of the driver quotes the URI that it was given, so its text is
// replaced.
const badMongo = "not a MongoDB connection string (percent-encode a password's special characters, or give it apart)"

func (c MongoConfig) resolve() (mongoTarget, *FieldError) {
	bad := func(problem string) (mongoTarget, *FieldError) {
		return mongoTarget{}, &FieldError{Field: "mongo.uri", Problem: problem}
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
	t := mongoTarget{
		uri:      uri,
		params:   params,
		database: orDefault(c.Database, strings.TrimPrefix(u.Path, "/")),
		where:    mongoWhere(uri),
		secrets:  []string{c.Password},
	}
	username := c.Username
	if u.User != nil {
		password, _ := u.User.Password()
		t.secrets = append(t.secrets, password, url.QueryEscape(password), url.PathEscape(password))
		username = orDefault(username, u.User.Username())
	}
	if c.Password != "" && username == "" {
		return mongoTarget{}, &FieldError{Field: "mongo.password", Problem: "is set without a user name"}
	}
	pure := u.Scheme == "mongodb" && !params.Has("tlscafile") && !params.Has("tlscertificatekeyfile") &&
		!params.Has("tlscertificatefile") && !params.Has("sslclientcertificatekeyfile") && !params.Has("sslcertificateauthorityfile")
	if pure && c.clientOptions(t) == nil {
		return bad(badMongo)
	}
	return t, nil
}

// clientOptions gives nil when the driver refuses the URI.
func (c MongoConfig) clientOptions(t mongoTarget) *options.ClientOptions {
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
		hosts = mask // an unencoded slash: hosts is the beginning of a password
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
