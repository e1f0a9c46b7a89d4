package gormrepo

import (
	"strings"

	"gorm.io/gorm"
)

// preload is an association that Update reads with the entity.
type preload struct {
	path  string
	links []*link
}

// preloading reads the associations too, without elements that are marked as deleted.
func (r *store) preloading(tx *gorm.DB) *gorm.DB {
	for _, p := range r.preloads {
		names := strings.Split(p.path, ".")
		for i, l := range p.links {
			tx = tx.Preload(strings.Join(names[:i+1], "."), l.to.live)
		}
	}
	return tx
}
