package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/samber/lo"
)

// missedReasons tells why goals are missed, each in a sentence without its full stop. An
// empty one is not known yet. It is shown only where a run has missed the goal.
func missedReasons() map[goalName]string {
	return map[goalName]string{
		{"1 caller, 10 rows, locked, SQLite", bestOfGORM}:                                                                "",
		{"64 callers, 10 rows, locked, PostgreSQL", bestOfGORM}:                                                          "",
		{"64 callers, 10 rows, locked, PostgreSQL", "its p99"}:                                                           "",
		{"256 callers, 1 row, locked, PostgreSQL", bestOfGORM}:                                                           "",
		{"64 callers, 10 rows, a BeforeSave hook, locked, PostgreSQL", bestOfGORM}:                                       "",
		{"64 callers, 1 row, `Update` on 16 stripes, locked, PostgreSQL", "an unlocked read and write in a transaction"}: "",
		{"1 caller, 1 row, locked, PostgreSQL", bestOfGORM}:                                                              "",
		{"1 caller, 10 rows, locked, PostgreSQL", bestOfGORM}:                                                            "",
		{"64 callers, 10 rows, 1 % refused, locked, PostgreSQL", "the same with none refused"}:                           "",
		{"saves a second of 256 callers, 10 rows, locked, PostgreSQL", "the same with 64 callers"}:                       "",
		{"1 caller, 10 rows, locked, MySQL or MariaDB", bestOfGORM}:                                                      "",
		{"64 callers, 10 rows, locked", "redsync and GORM"}:                                                              "",
		{"64 callers, 10 rows, locked", "`pg_advisory_xact_lock`"}:                                                       "",
		{"64 callers, 10 rows, locked", "`SELECT FOR UPDATE` of a lock row"}:                                             "",
		{"64 callers, 10 rows, locked", "concurrency.Mutex and GORM"}:                                                    "",
		{"64 callers, 10 rows, locked", "a client and a session for every lock, and GORM"}:                               "",
		{"3 processes of 16 callers, 10 rows, locked", bestOfGORM}:                                                       "",
		{"3 processes of 16 callers, 10 rows, locked", "its p99"}:                                                        "",
		{"64 callers, 10 rows, locked, MySQL or MariaDB", bestOfGORM}:                                                    "",
		{"10000 names held by one process", "KiB for each, with its watch"}:                                              "",
		{"handover, 2 processes, one name", "concurrency.Mutex"}:                                                         "",
		{"1 caller, 10 rows, locked, MongoDB's stand-in", "the driver's `BulkWrite` without a lock"}:                     "",
		{"64 callers, 10 rows, locked, MongoDB's stand-in", "the driver's `BulkWrite` without a lock"}:                   "",
		{"`SaveAll` of 10000 existing rows, PostgreSQL", "`CreateInBatches(1000)`"}:                                      "",
		{"`SaveAll` of 10000 existing rows, PostgreSQL", "a `db.Save` loop in one transaction"}:                          "",
		{"`SaveAll` of 10000 existing rows, PostgreSQL", "the best hand-written statement"}:                              "",
		{"`SaveAll` of 10000 existing rows, PostgreSQL", "the bytes that `CreateInBatches(1000)` allocates"}:             "",
		{"`SaveAll` of 10000 new rows, PostgreSQL", "`CreateInBatches(1000)`"}:                                           "",
		{"`SaveAll` of 10000 new rows, PostgreSQL", "a `db.Save` loop in one transaction"}:                               "",
		{"`SaveAll` of 10000 new rows, PostgreSQL", "the best hand-written statement"}:                                   "",
		{"`SaveAll` of 10000 new rows, PostgreSQL", "the bytes that `CreateInBatches(1000)` allocates"}:                  "",
		{"`SmartSave`, Merge of 10000 documents, 1 of 20 changed, PostgreSQL", "load, merge and a `db.Save` loop"}:       "",
		{"live heap of `SmartSave` of 100000 documents, `Chunks(2000)`", "bytes of the documents"}:                       "",
		{"live heap of `SmartSave` of 100000 documents, one transaction", "bytes of the documents"}:                      "",
		{"import of 20000 rows in chunks with single saves", "the same alone"}:                                           "",
		{"p99 of single saves meanwhile", ""}:                                                                            "",
	}
}

// missed lists what was measured and missed, each goal with its reason. What several
// clusters missed is listed once.
func (r *report) missed() string {
	names := lo.Filter(r.names(), func(_ goalName, i int) bool {
		g := r.goals[i]
		return len(known(g.got)) > 0 && !g.met()
	})
	if len(names) == 0 {
		return ""
	}
	var s strings.Builder
	s.WriteString("\n### What is missed, and why\n\n")
	for _, n := range lo.Uniq(names) {
		fmt.Fprintf(&s, "- %s: %s.\n", n, cmp.Or(missedReasons()[n], "no reason is known"))
	}
	return s.String()
}
