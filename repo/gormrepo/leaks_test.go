package gormrepo_test

import (
	"testing"

	"go.uber.org/goleak"
)

// GORM never stops the goroutine of a cache for prepared statements.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"))
}
