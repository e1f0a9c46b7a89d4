// Package stores_test asks the stores of all kinds the same, and wants the same answers: random
// queries, streams, long lists, and what a repository gives of the database below it.
package stores_test
