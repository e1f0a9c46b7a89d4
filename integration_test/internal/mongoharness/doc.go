// Package mongoharness hands repositories of MongoDB to the suites of repotest.
package mongoharness
