package jdbc

import "strings"

// foreign says what to do about a JDBC URL that is not for one of the three
// dialects directly, or is "". The names are public ones of drivers, so they can
// be shown.
func foreign(sub, rest string) string {
	sub = strings.ToLower(sub)
	inner, _, _ := strings.Cut(rest, ":")
	inner = strings.ToLower(inner)
	switch sub {
	case "postgresql", "sqlite":
		return ""
	case "mysql", "mariadb":
		switch {
		case strings.HasPrefix(rest, "//"):
			return ""
		case inner == "replication" || inner == "loadbalance" || inner == "aurora" || inner == "sequential" || inner == "load-balance":
			return "jdbc:" + sub + ":" + inner + ": names several servers; name the one that takes writes, as jdbc:" + sub + "://host/database"
		}
		return "a JDBC URL for MySQL begins with jdbc:" + sub + "://host"
	case "p6spy":
		return "jdbc:p6spy: is P6Spy, which logs between Java and its driver: leave out p6spy:"
	case "log4jdbc":
		return "jdbc:log4jdbc: is a logger between Java and its driver: leave out log4jdbc:"
	case "otel":
		return "jdbc:otel: traces between Java and its driver: leave out otel:"
	case "aws-wrapper":
		return "jdbc:aws-wrapper: is the AWS wrapper of a Java driver: leave out aws-wrapper: and its parameters"
	case "tc":
		return "jdbc:tc: starts a container by Testcontainers; give the URL of a server that runs"
	case "mysql+srv":
		return "jdbc:mysql+srv: asks DNS for its servers, which is not supported: name one host"
	case "pgsql", "postgres":
		return "jdbc:" + sub + ": is no JDBC URL of PostgreSQL: write jdbc:postgresql:"
	}
	for name, product := range map[string]string{
		"h2": "H2", "hsqldb": "HSQLDB", "derby": "Derby", "oracle": "Oracle", "sqlserver": "SQL Server", "jtds": "SQL Server",
		"db2": "Db2", "informix-sqli": "Informix", "clickhouse": "ClickHouse", "dm": "Dameng", "kingbase8": "KingbaseES",
		"opengauss": "openGauss", "gaussdb": "GaussDB", "oceanbase": "OceanBase", "sap": "SAP HANA", "teradata": "Teradata",
		"snowflake": "Snowflake", "redshift": "Redshift", "cloudspanner": "Spanner", "vertica": "Vertica", "firebirdsql": "Firebird",
	} {
		if sub == name {
			return "not a JDBC URL for PostgreSQL, MySQL, MariaDB or SQLite: " + product + " is not supported; give the URL of one of these"
		}
	}
	return "not a JDBC URL for PostgreSQL, MySQL, MariaDB or SQLite"
}
