// Package fenced_test tests gormrepo in transactions and under a fence: who is refused, what is
// rolled back, and what happens when the reply to a commit is lost.
package fenced_test
