// Package grouped_test tests group commit with what databases and hooks refuse, and with
// replies that are lost. It has test files only, like the package above it, and needs less:
// it compiles in a fraction of the time.
//
// POSTGRES_DSN and MYSQL_DSN name the servers. Without one of them its tests skip, or fail
// when REQUIRE_BACKENDS is 1. SQLite and etcd run in the test process.
package grouped_test
