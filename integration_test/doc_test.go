// Package integration_test holds the tests that need real servers: every
// backend, etcd, faults. It has test files only, so that the servers it starts
// never get into a user's build.
//
// etcd and the MongoDB stand-in run inside the test process unless
// ETCD_ENDPOINTS or MONGODB_URI name real ones. PostgreSQL and MySQL/MariaDB
// are used when POSTGRES_DSN and MYSQL_DSN name them; otherwise their tests
// skip, or fail when REQUIRE_BACKENDS is 1. Every test works in a database,
// schema or key range of its own and removes it.
package integration_test
