package fence

import (
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

// ddl makes the tables. Nothing in them is ever deleted but old operations.
// The row of a key is written by every transaction under its lock, so on
// PostgreSQL each page has room for many versions of it, and the row, found by
// the key and a number n, gets another n now and then: that bounds how many
// versions are looked through while an old snapshot keeps all of them. There a
// key also has a row that is never written, n = 0 and live = -1, so that only one
// of two who come first makes the other.
func ddl(t tables) ([]string, error) {
	binary, options, plain := "", "", ""
	rows, key := "", "k"
	ignore := " ON CONFLICT DO NOTHING"
	switch t.dialect {
	case sqltext.Postgres:
		binary, options = ` COLLATE "C"`, " WITH (fillfactor = 10)"
		rows, key = "n bigint NOT NULL, live smallint NOT NULL, ", "k, n"
	case sqltext.MySQL:
		binary, plain = " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", " ENGINE = InnoDB"
		options = plain
		ignore = " ON DUPLICATE KEY UPDATE value = value"
	case sqltext.SQLite:
	default:
		return nil, fmt.Errorf("%w: GORM dialect %q", repo.ErrUnsupported, t.dialect)
	}
	return []string{
		"CREATE TABLE IF NOT EXISTS " + t.name("fence") + " (k varchar(191)" + binary + " NOT NULL, " + rows + "token bigint NOT NULL, owner varchar(32)" +
			binary + " NOT NULL, sub bigint NOT NULL, gen bigint NOT NULL DEFAULT 0, PRIMARY KEY (" + key + "))" + options,
		"CREATE TABLE IF NOT EXISTS " + t.name("guard") + " (resource varchar(191)" + binary + " NOT NULL PRIMARY KEY, k varchar(191)" + binary + " NOT NULL)" + plain,
		"CREATE TABLE IF NOT EXISTS " + t.name("ops") + " (op varchar(32)" + binary + " NOT NULL PRIMARY KEY, written boolean NOT NULL)" + plain,
		"CREATE TABLE IF NOT EXISTS " + t.name("meta") + " (name varchar(32) NOT NULL PRIMARY KEY, value bigint NOT NULL)" + plain,
		"INSERT INTO " + t.name("meta") + " (name, value) VALUES ('epoch', 0), ('pruned', 0)" + ignore,
	}, nil
}

// upgrade changes the table of claims of an earlier version.
func upgrade(t tables) []string {
	fence := t.name("fence")
	if t.dialect != sqltext.Postgres {
		return []string{"ALTER TABLE " + fence + " ADD COLUMN gen bigint NOT NULL DEFAULT 0"}
	}
	return []string{
		"ALTER TABLE " + fence + " ADD COLUMN n bigint NOT NULL DEFAULT 1, ADD COLUMN live smallint NOT NULL DEFAULT 1, ADD COLUMN gen bigint NOT NULL DEFAULT 0," +
			" DROP CONSTRAINT holdfast_fence_pkey, ADD CONSTRAINT holdfast_fence_pkey PRIMARY KEY (k, n)",
		"INSERT INTO " + fence + " (k, n, live, token, owner, sub) SELECT k, 0, -1, 0, '', 0 FROM " + fence,
		"ALTER TABLE " + fence + " ALTER COLUMN n DROP DEFAULT, ALTER COLUMN live DROP DEFAULT",
	}
}

// DDL are the statements that make a fence.
func DDL(dialect, schema string) ([]string, error) { return ddl(tables{dialect, schema}) }
