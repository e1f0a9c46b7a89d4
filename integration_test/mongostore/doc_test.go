// Package mongostore_test tests mongorepo on MongoDB, or on the stand-in for it, which has tests
// of its own here: what is stored, what is read, keys, and the fence.
package mongostore_test
