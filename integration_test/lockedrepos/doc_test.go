// Package lockedrepos_test tests lockedrepo with real stores and a real etcd: no update is lost,
// those who are late are refused, and calls that wait are saved together.
package lockedrepos_test
