// Package stages_test runs pods with an old lock, with both locks and with etcd alone, each a
// process of its own, side by side on one counter. It has test files only, like the package
// above it, and needs less: it compiles in a fraction of the time.
//
// REDIS_ADDR, POSTGRES_DSN and MYSQL_DSN name the servers. Without one of them its tests skip, or
// fail when REQUIRE_BACKENDS is 1. etcd runs in the test process.
package stages_test
