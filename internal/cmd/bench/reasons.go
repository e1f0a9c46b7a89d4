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
		{"a transaction with a save under a fence, PostgreSQL", "round trips more than without"}:                         "each 256th write deletes old notes, by a statement of its own",
		{"a locked save with its fence, PostgreSQL", "round trips more than without"}:                                    "each 256th write deletes old notes, by a statement of its own",
		{"a save under a fence, PostgreSQL", "round trips more than without"}:                                            "each 256th write deletes old notes, by a statement of its own",
		{"handover, 16 processes, one name", "concurrency.Mutex"}:                                                        "a handover is a write of etcd and a half, and `concurrency.Mutex` waits for a clock: on a machine with slow writes the ratio is lower",
		{"1 caller, 10 rows, locked, SQLite", bestOfGORM}:                                                                "a save is six statements (begin, claim, note, rows, a look whether it is still open, commit), and each is parsed again; GORM without its transaction sends one",
		{"64 callers, 10 rows, locked, PostgreSQL", bestOfGORM}:                                                          "one process of the server writes all rows: profiles show 39 µs of its CPU for a save of ten, 33 of them for the rows, and then a commit and 15 µs of the client before the next statement, where 64 unlocked callers keep both processors busy with 190 µs",
		{"64 callers, 10 rows, a BeforeSave hook, locked, PostgreSQL", bestOfGORM}:                                       "as without the hook, and hooks run in a transaction, which has three round trips more",
		{"64 callers, 1 row, `Update` on 16 stripes, locked, PostgreSQL", "an unlocked read and write in a transaction"}: "each stripe has four of the callers, so each transaction is for four and not for 64",
		{"1 caller, 1 row, locked, PostgreSQL", bestOfGORM}:                                                              "both are one round trip, and this one writes a claim and a note as well as the row: 170 µs of the server's CPU instead of 120, and 165 µs of the client's instead of 90, in many small parts",
		{"1 caller, 10 rows, locked, PostgreSQL", bestOfGORM}:                                                            "as with one row",
		{"64 callers, 10 rows, 1 % refused, locked, PostgreSQL", "the same with none refused"}:                           "a bad save costs three round trips: the group that is refused, the row that the database names by itself, and the group without it",
		{"1 caller, 10 rows, locked, MySQL or MariaDB", bestOfGORM}:                                                      "it is one round trip too, but MariaDB parses a compound statement of more than a kilobyte and runs its ten parts: 610 µs of its CPU instead of 200",
		{"64 callers, 10 rows, locked", "redsync and GORM"}:                                                              "the others wait for each commit, and a commit takes only 0.1 to 0.3 ms here; see the first row of PostgreSQL for what bounds ours",
		{"64 callers, 10 rows, locked", "`pg_advisory_xact_lock`"}:                                                       "as with redsync",
		{"64 callers, 10 rows, locked", "`SELECT FOR UPDATE` of a lock row"}:                                             "as with redsync",
		{"64 callers, 10 rows, locked", "concurrency.Mutex and GORM"}:                                                    "as with redsync",
		{"64 callers, 10 rows, locked", "a client and a session for every lock, and GORM"}:                               "as with redsync",
		{"3 processes of 16 callers, 10 rows, locked", bestOfGORM}:                                                       "a group is of 14 calls, and each group costs 230 µs of the server's CPU and 290 µs of the client's besides its rows; between two processes lies a handover by etcd, in which the database has nothing to do",
		{"64 callers, 10 rows, locked, MySQL or MariaDB", bestOfGORM}:                                                    "as on PostgreSQL: one thread of the server writes all rows",
		{"10000 names held by one process", "KiB for each, with its watch"}:                                              "the watch of a name keeps buffers of gRPC",
		{"handover, 2 processes, one name", "concurrency.Mutex"}:                                                         "a handover is a write of etcd and a half, and `concurrency.Mutex` waits for a clock: on a machine with slow writes, and with three members on two processors, the ratio is lower",
		{"1 caller, 10 rows, locked, MongoDB's stand-in", "the driver's `BulkWrite` without a lock"}:                     "the stand-in looks a document up by its id alone; a filter that has the claim as well makes it read the collection, which MongoDB does not",
		{"64 callers, 10 rows, locked, MongoDB's stand-in", "the driver's `BulkWrite` without a lock"}:                   "as with one caller",
		{"`SaveAll` of 10000 existing rows, PostgreSQL", "`CreateInBatches(1000)`"}:                                      "the best statement by hand is not 1.5 times as fast either: what both cost is the `ON CONFLICT` of each row in the server",
		{"`SaveAll` of 10000 existing rows, PostgreSQL", "a `db.Save` loop in one transaction"}:                          "as with `CreateInBatches`",
		{"`SaveAll` of 10000 existing rows, PostgreSQL", "the best hand-written statement"}:                              "it is the same statement, within a transaction and behind a savepoint, with a record for each row, which names the element that fails",
		{"`SaveAll` of 10000 existing rows, PostgreSQL", "the bytes that `CreateInBatches(1000)` allocates"}:             "each row has a record, a copy of what may have to be taken back, and its values as parameters, as GORM has them too",
		{"`SaveAll` of 10000 new rows, PostgreSQL", "`CreateInBatches(1000)`"}:                                           "as with existing rows",
		{"`SaveAll` of 10000 new rows, PostgreSQL", "the best hand-written statement"}:                                   "as with existing rows",
		{"`SaveAll` of 10000 new rows, PostgreSQL", "the bytes that `CreateInBatches(1000)` allocates"}:                  "as with existing rows",
		{"3 processes of 16 callers, 10 rows, locked", "its p99"}:                                                        "each of the two others may keep the lock for 10 ms",
		{"live heap of `SmartSave` of 100000 documents, one transaction", "bytes of the documents"}:                      "a heap profile shows the decoded entities and a record for each, which are kept until the commit; `Chunks` keeps one chunk",
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
