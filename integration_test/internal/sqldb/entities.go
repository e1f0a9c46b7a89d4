package sqldb

import "time"

// GormVersioned has a version, and rows marked as deleted.
type GormVersioned struct {
	ID      int64
	Name    string     `gorm:"size:50"`
	Rev     uint32     `holdfast:"version"`
	Deleted *time.Time `holdfast:"deleted"`
	Old     bool       `gorm:"-"`
}

// GormCounter is as small as an entity can be.
type GormCounter struct {
	ID int64 `gorm:"autoIncrement:false"`
	N  int
}
