package jdbc

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

func postgresTarget(rest string) (Target, error) {
	hosts, database, params, err := parts(rest)
	if err != nil {
		return Target{}, err
	}
	if strings.Contains(hosts, "@") {
		return Target{}, errors.New("a JDBC URL for PostgreSQL holds no user before its host: give the user name and the password apart")
	}
	if strings.ContainsAny(hosts, noHostName) {
		return Target{}, errors.New("the host of the JDBC URL is not a host name")
	}
	if hosts == "" {
		hosts = "localhost"
	}
	u := url.URL{Scheme: "postgres", Host: hosts, Path: "/" + database}
	s := &state{q: url.Values{}, params: params}
	s.Dialect = postgres
	if err := s.translate(postgresParams()); err != nil {
		return Target{}, err
	}
	// ssl=true alone means, in the Java driver, a checked certificate.
	if params.has("ssl") && !strings.EqualFold(params.get("ssl"), "false") && !s.q.Has("sslmode") {
		s.q.Set("sslmode", "verify-full")
	}
	u.RawQuery = s.q.Encode()
	s.DSN = u.String()
	return s.Target, nil
}

// as passes the value on under the name of the Go driver.
func as(name string) func(*state, string) error {
	return func(s *state, value string) error {
		s.q.Set(name, value)
		return nil
	}
}

func seconds(s *state, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return errors.New("is not a number of seconds")
	}
	if n > 0 && s.q.Get("connect_timeout") == "" {
		s.q.Set("connect_timeout", value)
	}
	return nil
}

// only takes the values that change nothing.
func only(harmless ...string) func(*state, string) error {
	return func(_ *state, value string) error {
		for _, h := range harmless {
			if strings.EqualFold(h, value) {
				return nil
			}
		}
		return errors.New("has a value without a counterpart here")
	}
}

// postgresParams knows the parameters of pgjdbc 42.
func postgresParams() table {
	t := table{}
	t.apply("user", "the login", as("user"))
	t.apply("password", "the login", as("password"))
	for _, same := range []string{"sslmode", "sslrootcert", "sslcert", "sslpassword", "options", "service", "sslNegotiation"} {
		t.apply(same, "the same", as(strings.ToLower(same)))
	}
	t.apply("sslkey", "the same; it must be PEM", func(s *state, v string) error {
		if strings.HasSuffix(strings.ToLower(v), ".pk8") || strings.HasSuffix(strings.ToLower(v), ".p12") {
			return errors.New("names a key in a form of Java; the Go driver reads PEM")
		}
		return as("sslkey")(s, v)
	})
	t.apply("ssl", "`sslmode=verify-full`", nothing)
	t.apply("sslfactory", "`sslmode=require` for NonValidatingFactory; others are refused", func(s *state, v string) error {
		switch v {
		case "org.postgresql.ssl.NonValidatingFactory":
			s.q.Set("sslmode", "require")
		case "org.postgresql.ssl.LibPQFactory", "org.postgresql.ssl.jdbc4.LibPQFactory", "org.postgresql.ssl.DefaultJavaSSLFactory", "":
		default:
			return errors.New("names a class of Java; give sslmode and sslrootcert")
		}
		return nil
	})
	t.apply("ApplicationName", "`application_name`", as("application_name"))
	t.apply("currentSchema", "`search_path`", as("search_path"))
	t.apply("connectTimeout", "`connect_timeout`", seconds)
	t.apply("loginTimeout", "`connect_timeout`", seconds)
	t.apply("targetServerType", "`target_session_attrs`", func(s *state, v string) error {
		attrs, ok := map[string]string{
			"any": "any", "primary": "primary", "master": "primary", "secondary": "standby",
			"slave": "standby", "prefersecondary": "prefer-standby", "preferslave": "prefer-standby", "preferprimary": "any",
		}[strings.ToLower(v)]
		if !ok {
			return errors.New("has a value without a counterpart here")
		}
		s.q.Set("target_session_attrs", attrs)
		return nil
	})
	t.apply("readOnly", "`default_transaction_read_only`", truth(func(s *state, on bool) {
		if on {
			s.q.Set("default_transaction_read_only", "on")
		}
	}))
	t.apply("prepareThreshold", "0, for a pooler between: no prepared statements (`default_query_exec_mode=exec`)", func(s *state, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil {
			return errors.New("is not a number")
		}
		if n == 0 && !s.q.Has("default_query_exec_mode") {
			s.q.Set("default_query_exec_mode", "exec")
		}
		return nil
	})
	t.apply("preferQueryMode", "`simple`: `default_query_exec_mode=simple_protocol`", func(s *state, v string) error {
		if strings.EqualFold(v, "simple") {
			s.q.Set("default_query_exec_mode", "simple_protocol")
			return nil
		}
		return only("extended", "extendedForPrepared", "extendedCacheEverything")(s, v)
	})
	t.apply("gssEncMode", "must not be `require`", only("disable", "allow", "prefer"))
	t.apply("channelBinding", "must not be `require`", only("disable", "prefer"))
	t.group(Ignored, "only tunes the Java driver's statements", `adaptiveFetch adaptiveFetchMaximum adaptiveFetchMinimum autosave
		binaryTransfer binaryTransferDisable binaryTransferEnable cleanupSavepoints defaultRowFetchSize escapeSyntaxCallMode
		groupStartupParameters maxResultBuffer maxSendBufferSize preparedStatementCacheQueries preparedStatementCacheSizeMiB
		queryTimeout quoteReturningIdentifiers reWriteBatchedInserts stringtype unknownLength convertBooleanToNumeric flushCacheOnDdl`)
	t.group(Ignored, "only tunes what the Java driver remembers or asks", `assumeMinServerVersion databaseMetadataCacheFields
		databaseMetadataCacheFieldsMiB disableColumnSanitiser hideUnprivilegedObjects allowEncodingChanges readOnlyMode compatible`)
	t.group(Ignored, "the context of each call is its limit", "socketTimeout cancelSignalTimeout sslResponseTimeout gssResponseTimeout")
	t.group(Ignored, "the connection is Go's", "tcpKeepAlive tcpNoDelay receiveBufferSize sendBufferSize hostRecheckSeconds loadBalanceHosts")
	t.group(Ignored, "code or logs of the Java process", `loggerFile loggerLevel logUnclosedConnections logServerErrorDetail xmlFactoryFactory
		useUnicode characterEncoding`)
	t.group(Ignored, "only for Kerberos, which must not be demanded", "gsslib useSpnego jaasApplicationName jaasLogin kerberosServerName gssUseDefaultCreds sspiServiceClass")
	const java = "it names a class of Java"
	t.group(Refused, java, "sslfactoryarg sslhostnameverifier sslpasswordcallback authenticationPluginClassName")
	t.group(Refused, "a way to the server that the Go driver does not have; through a proxy of the cloud, name the proxy's address",
		"socketFactory socketFactoryArg localSocketAddress cloudSqlInstance ipTypes enableIamAuth")
	t.group(Refused, "it changes what the connection is for", "replication requireAuth pemKeyAlgorithm")
	return t
}
