// Package gormstore_test tests gormrepo on each kind of SQL database: what is stored, what is
// read, keys, associations, hooks and queries. Its folder fenced has the tests of the fence and
// of transactions.
package gormstore_test
