// Package gormharness hands repositories of GORM to the suites of repotest.
package gormharness
