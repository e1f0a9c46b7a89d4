package gormrepo

import (
	"fmt"
	"strings"

	"github.com/holdfast-go/holdfast/repo"
)

// fenceDDL makes the tables. Nothing in them is ever deleted but old operations.
// The row of a key is written by every transaction under its lock, so on
// PostgreSQL each page has room for many versions of it, and the row, found by
// the key and a number n, gets another n now and then: that bounds how many
// versions are looked through while an old snapshot keeps all of them. There a
// key also has a row that is never written, n = 0 and live = -1, so that only one
// of two who come first makes the other.
func fenceDDL(dialect, schema string) ([]string, error) {
	binary, options, plain := "", "", ""
	rows, key := "", "k"
	ignore := " ON CONFLICT DO NOTHING"
	switch dialect {
	case postgres:
		binary, options = ` COLLATE "C"`, " WITH (fillfactor = 10)"
		rows, key = "n bigint NOT NULL, live smallint NOT NULL, ", "k, n"
	case mysql:
		binary, plain = " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", " ENGINE = InnoDB"
		options = plain
		ignore = " ON DUPLICATE KEY UPDATE value = value"
	case sqlite:
	default:
		return nil, fmt.Errorf("%w: GORM dialect %q", repo.ErrUnsupported, dialect)
	}
	name := func(table string) string { return nameIn(dialect, schema, table) }
	return []string{
		"CREATE TABLE IF NOT EXISTS " + name("fence") + " (k varchar(191)" + binary + " NOT NULL, " + rows + "token bigint NOT NULL, owner varchar(32)" +
			binary + " NOT NULL, sub bigint NOT NULL, gen bigint NOT NULL DEFAULT 0, PRIMARY KEY (" + key + "))" + options,
		"CREATE TABLE IF NOT EXISTS " + name("guard") + " (resource varchar(191)" + binary + " NOT NULL PRIMARY KEY, k varchar(191)" + binary + " NOT NULL)" + plain,
		"CREATE TABLE IF NOT EXISTS " + name("ops") + " (op varchar(32)" + binary + " NOT NULL PRIMARY KEY, written boolean NOT NULL)" + plain,
		"CREATE TABLE IF NOT EXISTS " + name("meta") + " (name varchar(32) NOT NULL PRIMARY KEY, value bigint NOT NULL)" + plain,
		"INSERT INTO " + name("meta") + " (name, value) VALUES ('epoch', 0), ('pruned', 0)" + ignore,
	}, nil
}

// upgradeDDL changes the table of claims of an earlier version.
func upgradeDDL(dialect, schema string) []string {
	fence := nameIn(dialect, schema, "fence")
	if dialect != postgres {
		return []string{"ALTER TABLE " + fence + " ADD COLUMN gen bigint NOT NULL DEFAULT 0"}
	}
	return []string{
		"ALTER TABLE " + fence + " ADD COLUMN n bigint NOT NULL DEFAULT 1, ADD COLUMN live smallint NOT NULL DEFAULT 1, ADD COLUMN gen bigint NOT NULL DEFAULT 0," +
			" DROP CONSTRAINT holdfast_fence_pkey, ADD CONSTRAINT holdfast_fence_pkey PRIMARY KEY (k, n)",
		"INSERT INTO " + fence + " (k, n, live, token, owner, sub) SELECT k, 0, -1, 0, '', 0 FROM " + fence,
		"ALTER TABLE " + fence + " ALTER COLUMN n DROP DEFAULT, ALTER COLUMN live DROP DEFAULT",
	}
}

// FenceDDL returns the statements that MigrateFence runs on a database without a
// fence, for tools like Flyway: one a line, each ended by a semicolon. The dialect
// is "postgres", "mysql" (and MariaDB) or "sqlite", else the error is
// repo.ErrUnsupported. The tables are made where a connection makes tables, or in
// the schema given.
func FenceDDL(dialect string, schema ...string) (string, error) {
	if len(schema) > 1 {
		return "", fmt.Errorf("gormrepo: fence: %w: one schema at a time", repo.ErrInvalid)
	}
	statements, err := fenceDDL(dialect, strings.Join(schema, ""))
	if err != nil {
		return "", fmt.Errorf("gormrepo: fence: %w", err)
	}
	return strings.Join(statements, ";\n") + ";\n", nil
}
