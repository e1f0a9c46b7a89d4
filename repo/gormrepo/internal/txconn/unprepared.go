package txconn

import (
	"gorm.io/gorm"
)

// Unprepared is the connection below a cache of prepared statements: each
// number of rows or ids makes another text, and a cache would keep them all.
func Unprepared(pool gorm.ConnPool) gorm.ConnPool {
	switch p := pool.(type) {
	case *gorm.PreparedStmtDB:
		return p.ConnPool
	case *gorm.PreparedStmtTX:
		return p.Tx
	default:
		return pool
	}
}
