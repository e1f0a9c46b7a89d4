package jdbc

import (
	"errors"
	"regexp"
	"strings"
)

var variable = regexp.MustCompile(`^@?[A-Za-z_][A-Za-z0-9_]*$`)

// nothing stands for parameters that are read together, elsewhere.
func nothing(*state, string) error { return nil }

func utf8Only(_ *state, value string) error {
	switch strings.ReplaceAll(strings.ToLower(value), "-", "") {
	case "utf8", "utf8mb4", "utf8mb3", "":
		return nil
	}
	return errors.New("is not UTF-8, which is all that the Go driver speaks")
}

func truth(set func(s *state, on bool)) func(*state, string) error {
	return func(s *state, value string) error {
		switch strings.ToLower(value) {
		case "true", "yes":
			set(s, true)
		case "false", "no":
			set(s, false)
		default:
			return errors.New("is neither true nor false")
		}
		return nil
	}
}

func isolation(name string) (level string, ok bool) {
	level, ok = map[string]string{
		"READUNCOMMITTED": "READ UNCOMMITTED", "READCOMMITTED": "READ COMMITTED",
		"REPEATABLEREAD": "REPEATABLE READ", "SERIALIZABLE": "SERIALIZABLE",
	}[strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToUpper(name))]
	return level, ok
}

// mysqlParams knows the parameters of MySQL Connector/J 5.1 to 9 and of MariaDB
// Connector/J 2 and 3.
func mysqlParams() table {
	t := table{}
	t.mysqlApplied()
	t.mysqlIgnored()
	t.mysqlRefused()
	return t
}

// mysqlApplied adds the parameters that have a meaning here.
func (t table) mysqlApplied() {
	t.apply("user", "the login", nothing)
	t.apply("password", "the login", nothing)
	for _, zone := range []string{"connectionTimeZone", "serverTimezone", "timezone", "preserveInstants", "forceConnectionTimeZoneToSession"} {
		t.apply(zone, "the zone of times, see below", nothing)
	}
	t.apply("characterEncoding", "must be UTF-8", utf8Only)
	t.apply("characterSetResults", "must be UTF-8", utf8Only)
	t.apply("connectionCollation", "`collation`", func(s *state, v string) error {
		s.q.Set("collation", v)
		return nil
	})
	t.apply("connectTimeout", "`timeout`", millis("timeout"))
	t.apply("socketTimeout", "`readTimeout` and `writeTimeout`", millis("readTimeout", "writeTimeout"))
	for _, name := range []string{"sslMode", "useSSL", "requireSSL", "verifyServerCertificate"} {
		t.apply(name, "`tls`; `VERIFY_CA` checks the name too", nothing)
	}
	t.apply("sessionVariables", "set in each session", sessionVariables)
	t.apply("createDatabaseIfNotExist", "the database is made when it is not there", truth(func(s *state, on bool) { s.CreateDatabase = on }))
	t.apply("allowMultiQueries", "`multiStatements`", truth(func(s *state, on bool) {
		if on {
			s.q.Set("multiStatements", "true")
		}
	}))
	compress := truth(func(s *state, on bool) {
		if on {
			s.q.Set("compress", "true")
		}
	})
	t.apply("useCompression", "`compress`", compress)
	t.apply("maxAllowedPacket", "`maxAllowedPacket`", func(s *state, v string) error {
		if v != "" && strings.Trim(v, "0123456789") == "" {
			s.q.Set("maxAllowedPacket", v)
			return nil
		}
		return errors.New("is not a number of bytes")
	})
	t.apply("initSql", "runs on each new connection", func(s *state, v string) error {
		s.InitSQL = append(s.InitSQL, v)
		return nil
	})
	t.apply("transactionIsolation", "the isolation level of the session", func(s *state, v string) error {
		level, ok := isolation(v)
		if !ok {
			return errors.New("is not an isolation level")
		}
		s.InitSQL = append(s.InitSQL, "SET SESSION TRANSACTION ISOLATION LEVEL "+level)
		return nil
	})
}

// mysqlIgnored adds those that mean nothing without Java.
func (t table) mysqlIgnored() {
	t.group(Ignored, "the Go driver asks for the key by itself", "allowPublicKeyRetrieval")
	t.group(Ignored, "repositories need the number of matched rows, always", "useAffectedRows")
	t.group(Ignored, "the Go driver speaks UTF-8 only", "useUnicode passwordCharacterEncoding detectCustomCollations")
	t.group(Ignored, "the pool replaces connections that broke", `autoReconnect autoReconnectForPools failOverReadOnly initialTimeout
		maxReconnects queriesBeforeRetryMaster queriesBeforeRetrySource reconnectAtTxEnd secondsBeforeRetryMaster
		secondsBeforeRetrySource tcpKeepAlive tcpNoDelay tcpRcvBuf tcpSndBuf tcpTrafficClass retriesAllDown connectionAttributes`)
	t.group(Ignored, "only tunes the Java driver's statements", `allowLoadLocalInfile allowUrlInLocalInfile allowMultiQueriesOnBatch
		cacheCallableStmts cachePrepStmts callableStmtCacheSize continueBatchOnError defaultFetchSize dontTrackOpenResources
		dumpQueriesOnException emulateUnsupportedPstmts enableQueryTimeouts generateSimpleParameterMetadata
		holdResultsOpenOverStatementClose maxRows netTimeoutForStreamingResults pinGlobalTxToPhysicalConnection prepStmtCacheSize
		prepStmtCacheSqlLimit processEscapeCodesForPrepStmts queryTimeoutKillsConnection rewriteBatchedStatements
		useBatchMultiSend useBulkStmts useCursorFetch useServerPrepStmts useStreamLengthsInPrepStmts useReadAheadInput
		useUnbufferedInput autoClosePStmtStreams clobberStreamingResults`)
	t.group(Ignored, "only tunes what the Java driver remembers or asks", `alwaysSendSetIsolation cacheResultSetMetadata
		cacheServerConfiguration elideSetAutoCommits maintainTimeStats metadataCacheSize noAccessToProcedureBodies
		nullCatalogMeansCurrent nullDatabaseMeansCurrent nullNamePatternMatchesAll databaseTerm useCatalogTerm useConfigs
		useHostsInPrivileges useInformationSchema useLocalSessionState useLocalTransactionState useMysqlMetadata
		useOldAliasMetadataBehavior useColumnNamesInFindColumn getProceduresReturnsFunctions readOnlyPropagatesToServer
		overrideSupportsIntegrityEnhancementFacility ultraDevHack remarks blankTableNameMeta allowNanAndInf
		enableEscapeProcessing interactiveClient disconnectOnExpiredPasswords nullDatabaseMeansCurrent`)
	t.group(Ignored, "Go has its own types", `autoDeserialize blobsAreStrings emptyStringsConvertToZero functionsNeverReturnBlobs
		jdbcCompliantTruncation noDatetimeStringSync padCharsWithSpace scrollTolerantForwardOnly tinyInt1isBit
		transformedBitIsBoolean treatUtilDateAsTimestamp yearIsDateType zeroDateTimeBehavior sendFractionalSeconds
		sendFractionalSecondsForTime useFractionalSeconds strictUpdates treatMysqlDatetimeAsTimestamp convertToNull`)
	t.group(Ignored, "an old way of the Java driver to convert times", `useTimezone useJDBCCompliantTimezoneShift useLegacyDatetimeCode
		useGmtMillisForDatetimes useSSPSCompatibleTimezoneShift cacheDefaultTimezone cacheDefaultTimeZone`)
	t.group(Ignored, "code or logs of the Java process", `autoGenerateTestcaseScript connectionLifecycleInterceptors exceptionInterceptors
		explainSlowQueries gatherPerfMetrics includeInnodbStatusInDeadlockExceptions includeThreadDumpInDeadlockExceptions
		includeThreadNamesAsStatementComment logger logSlowQueries logXaCommands packetDebugBufferSize profileSQL
		profilerEventHandler propertiesTransform queryInterceptors reportMetricsIntervalMillis slowQueryThresholdMillis
		slowQueryThresholdNanos statementInterceptors traceProtocol useNanosForElapsedTime useUsageAdvisor log
		resourceId useOnlyServerErrorMessages paranoid enablePacketDebug`)
	t.group(Ignored, "the version of TLS is negotiated", "enabledSSLCipherSuites enabledSslCipherSuites enabledSslProtocolSuites enabledTLSProtocols tlsCiphersuites tlsVersions")
	t.group(Ignored, "the pool is Go's", "pool poolName maxPoolSize minPoolSize maxIdleTime poolValidMinDelay registerJmxPool useResetConnection")
	t.group(Ignored, "several servers are not supported anyway", `loadBalanceBlacklistTimeout loadBalanceStrategy
		loadBalanceValidateConnectionOnSwapServer roundRobinLoadBalance assureReadOnly allowMasterDownConnections
		allowSourceDownConnections allowReplicaDownConnections allowSlaveDownConnections ha.enableJMX`)
	t.group(Ignored, "no plugin of Java's is needed", "authenticationPlugins defaultAuthenticationPlugin disabledAuthenticationPlugins permitMysqlScheme disableMariaDbDriver")
}

// mysqlRefused adds those that would mean something, and cannot be had.
func (t table) mysqlRefused() {
	const store = "a key store of Java; give the DSN of the Go driver with tls=, or leave TLS to a proxy"
	t.group(Refused, store, `trustCertificateKeyStoreUrl trustCertificateKeyStoreType trustCertificateKeyStorePassword
		clientCertificateKeyStoreUrl clientCertificateKeyStoreType clientCertificateKeyStorePassword keyStore keyStorePassword
		keyStoreType trustStore trustStorePassword trustStoreType serverSslCert keyPassword disableSslHostnameVerification
		fallbackToSystemKeyStore fallbackToSystemTrustStore serverRSAPublicKeyFile`)
	t.group(Refused, "a way to the server that the Go driver does not have", "socketFactory socketFactoryClass socksProxyHost socksProxyPort proxyHost pipe localSocket localSocketAddress sharedMemory")
	t.group(Refused, "it changes what a statement means", "autocommit galeraAllowedState allowCleartextPasswords assumeMinServerVersion credentialType")
}
