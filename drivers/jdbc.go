package drivers

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

var errNotJDBC = errors.New("not a JDBC URL for PostgreSQL, MySQL, MariaDB or SQLite")

func isJDBC(dsn string) bool {
	return len(dsn) >= 5 && strings.EqualFold(dsn[:5], "jdbc:")
}

// fromJDBC turns a JDBC URL into a DSN for the Go driver of the same database.
// A parameter is translated, dropped when it only tunes the Java driver, or
// refused: the Go drivers would send it to the server as a setting.
// An error names parameters, never values.
func fromJDBC(dsn string) (string, error) {
	rest := dsn[len("jdbc:"):]
	sub, rest, ok := strings.Cut(rest, ":")
	if !ok {
		return "", errNotJDBC
	}
	switch strings.ToLower(sub) {
	case "postgresql":
		return postgresFromJDBC(rest)
	case "mysql", "mariadb":
		return mysqlFromJDBC(rest)
	case "sqlite":
		return sqliteFromJDBC(rest)
	}
	return "", errNotJDBC
}

// jdbcParts splits //hosts/database?params, where hosts may be absent.
func jdbcParts(rest string) (hosts, database string, params map[string]string, err error) {
	rest, query, _ := strings.Cut(rest, "?")
	params = map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(value)
		if err != nil {
			return "", "", nil, errors.New("a parameter of the JDBC URL is not percent-encoded as it must be")
		}
		params[name] = value
	}
	if auth, ok := strings.CutPrefix(rest, "//"); ok {
		hosts, database, _ = strings.Cut(auth, "/")
	} else {
		database = rest
	}
	if strings.Contains(hosts, "@") {
		return "", "", nil, errors.New("a JDBC URL holds no user before its host: give the user name and the password apart")
	}
	if database, err = url.PathUnescape(database); err != nil {
		return "", "", nil, errors.New("the database of the JDBC URL is not percent-encoded as it must be")
	}
	return hosts, database, params, nil
}

// unknownParam names a parameter only if it looks like a name: what stands
// there may be the rest of a password that was not encoded.
func unknownParam(name string) error {
	if !looksLikeName(name) {
		name = "(not a name)"
	}
	return fmt.Errorf("the JDBC parameter %s has no counterpart here: leave it out, or give the DSN of the Go driver", name)
}

var namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`)

func looksLikeName(s string) bool { return namePattern.MatchString(s) }

// Parameters that only tune the Java drivers.
const (
	postgresJDBCOnly = `assumeMinServerVersion autosave binaryTransfer cleanupSavepoints databaseMetadataCacheFields
		databaseMetadataCacheFieldsMiB defaultRowFetchSize escapeSyntaxCallMode gssEncMode hostRecheckSeconds jaasLogin
		loadBalanceHosts logUnclosedConnections loggerFile loggerLevel preferQueryMode prepareThreshold
		preparedStatementCacheQueries preparedStatementCacheSizeMiB receiveBufferSize reWriteBatchedInserts
		sendBufferSize socketTimeout ssl stringtype tcpKeepAlive tcpNoDelay unknownLength useSpnego`
	mysqlJDBCOnly = `allowLoadLocalInfile allowMultiQueries allowPublicKeyRetrieval autoReconnect autoReconnectForPools
		cachePrepStmts cacheResultSetMetadata cacheServerConfiguration defaultFetchSize elideSetAutoCommits
		failOverReadOnly jdbcCompliantTruncation maintainTimeStats maxReconnects maxRows noAccessToProcedureBodies
		nullCatalogMeansCurrent nullDatabaseMeansCurrent pinGlobalTxToPhysicalConnection prepStmtCacheSize
		prepStmtCacheSqlLimit profileSQL remarks requireSSL rewriteBatchedStatements tcpKeepAlive tcpNoDelay
		tinyInt1isBit transformedBitIsBoolean useAffectedRows useBulkStmts useConfigs useCursorFetch useFractionalSeconds
		useInformationSchema useJDBCCompliantTimezoneShift useLegacyDatetimeCode useLocalSessionState
		useLocalTransactionState useOldAliasMetadataBehavior useServerPrepStmts useUnicode verifyServerCertificate
		yearIsDateType zeroDateTimeBehavior`
	sqliteJDBCOnly = `cache date_class date_precision date_string_format jdbc.explicit_readonly transaction_mode`
)

// onlyJava says whether a parameter only tunes the Java driver.
func onlyJava(known, name string) bool {
	return slices.Contains(strings.Fields(known), name)
}

func postgresFromJDBC(rest string) (string, error) {
	hosts, database, params, err := jdbcParts(rest)
	if err != nil {
		return "", err
	}
	u := url.URL{Scheme: "postgres", Host: orDefault(hosts, "localhost"), Path: "/" + database}
	if strings.ContainsAny(u.Host, "/?# %") {
		return "", errNotJDBC
	}
	q := url.Values{}
	for name, value := range params {
		switch name {
		case "user", "password", "sslmode", "sslrootcert", "sslcert", "sslkey", "options":
			q.Set(name, value)
		case "ApplicationName":
			q.Set("application_name", value)
		case "currentSchema":
			q.Set("search_path", value)
		case "connectTimeout", "loginTimeout":
			if _, err := strconv.Atoi(value); err != nil {
				return "", fmt.Errorf("the JDBC parameter %s is not a number of seconds", name)
			}
			q.Set("connect_timeout", value)
		case "targetServerType":
			attrs, ok := map[string]string{
				"any": "any", "primary": "primary", "master": "primary", "secondary": "standby",
				"slave": "standby", "preferSecondary": "prefer-standby", "preferSlave": "prefer-standby",
			}[value]
			if !ok {
				return "", errors.New("the JDBC parameter targetServerType has a value without a counterpart here")
			}
			q.Set("target_session_attrs", attrs)
		case "readOnly":
			if value == "true" {
				q.Set("default_transaction_read_only", "on")
			}
		default:
			if !onlyJava(postgresJDBCOnly, name) {
				return "", unknownParam(name)
			}
		}
	}
	// ssl=true alone means, in the Java driver, a checked certificate.
	if v, ok := params["ssl"]; ok && v != "false" && !q.Has("sslmode") {
		q.Set("sslmode", "verify-full")
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

func mysqlFromJDBC(rest string) (string, error) {
	if !strings.HasPrefix(rest, "//") {
		return "", errors.New("a JDBC URL for MySQL with a failover or replication scheme is not supported: name one host")
	}
	hosts, database, params, err := jdbcParts(rest)
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(hosts, ",()") {
		return "", errors.New("a JDBC URL for MySQL with several hosts is not supported: name one host")
	}
	cfg := mysql.NewConfig()
	cfg.Net = "tcp"
	cfg.Addr = withPort(orDefault(hosts, "localhost"), "3306")
	cfg.DBName = database
	q := url.Values{}
	for name, value := range params {
		switch name {
		case "user":
			cfg.User = value
		case "password":
			cfg.Passwd = value
		case "serverTimezone", "connectionTimeZone", "timezone":
			if loc := jdbcZone(value); loc != "" {
				q.Set("loc", loc)
			}
		case "characterEncoding":
			if !strings.EqualFold(value, "utf8") && !strings.EqualFold(value, "utf-8") && !strings.EqualFold(value, "utf8mb4") {
				return "", errors.New("the JDBC parameter characterEncoding is not UTF-8")
			}
		case "connectionCollation":
			q.Set("collation", value)
		case "connectTimeout":
			if err := millis(q, value, "timeout"); err != nil {
				return "", fmt.Errorf("the JDBC parameter %s %w", name, err)
			}
		case "socketTimeout":
			if err := millis(q, value, "readTimeout", "writeTimeout"); err != nil {
				return "", fmt.Errorf("the JDBC parameter %s %w", name, err)
			}
		case "useSSL", "sslMode", "sslmode":
			// below, because they depend on each other
		default:
			if !onlyJava(mysqlJDBCOnly, name) {
				return "", unknownParam(name)
			}
		}
	}
	tls, err := mysqlTLS(params)
	if err != nil {
		return "", err
	}
	if tls != "" {
		q.Set("tls", tls)
	}
	native := cfg.FormatDSN()
	if len(q) > 0 {
		native += map[bool]string{true: "&", false: "?"}[strings.Contains(native, "?")] + q.Encode()
	}
	return native, nil
}

// jdbcZone gives the Go name of a time zone; "" for those that ask the server.
func jdbcZone(v string) string {
	switch strings.ToUpper(v) {
	case "SERVER":
		return ""
	case "LOCAL":
		return "Local"
	case "GMT", "Z":
		return "UTC"
	}
	return v
}

func millis(q url.Values, value string, params ...string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return errors.New("is not a number of milliseconds")
	}
	for _, p := range params {
		if n > 0 { // zero means no limit, which is the driver's default
			q.Set(p, strconv.Itoa(n)+"ms")
		}
	}
	return nil
}

// mysqlTLS follows Connector/J: sslMode wins over the older parameters. The Go
// driver has no mode that checks the authority but not the name, so VERIFY_CA
// checks both.
func mysqlTLS(params map[string]string) (string, error) {
	mode := strings.ToUpper(orDefault(params["sslMode"], params["sslmode"]))
	switch strings.ReplaceAll(mode, "-", "_") {
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
	switch {
	case params["useSSL"] == "" && params["requireSSL"] != "true":
		return "", nil
	case params["useSSL"] == "false":
		return "false", nil
	case params["verifyServerCertificate"] == "true":
		return "true", nil
	case params["requireSSL"] == "true":
		return "skip-verify", nil
	}
	return "preferred", nil
}

func sqliteFromJDBC(rest string) (string, error) {
	path, query, _ := strings.Cut(rest, "?")
	if path == "" || path == ":memory:" {
		return "file::memory:", nil
	}
	_, _, params, err := jdbcParts("?" + query)
	if err != nil {
		return "", err
	}
	q := url.Values{}
	for name, value := range params {
		switch name {
		case "journal_mode", "busy_timeout", "synchronous", "foreign_keys":
			q.Set("_"+name, value)
		case "mode":
			q.Set(name, value)
		default:
			if !onlyJava(sqliteJDBCOnly, name) {
				return "", unknownParam(name)
			}
		}
	}
	if !strings.HasPrefix(path, "file:") {
		path = "sqlite:" + path
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return path, nil
}
