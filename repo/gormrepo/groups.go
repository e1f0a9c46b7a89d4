package gormrepo

import (
	"slices"
	"strings"

	"gorm.io/gorm/schema"
)

// group are the items that leave the same columns to the database, or to a default.
// One statement for different ones would need the keyword DEFAULT, which SQLite
// does not have.
type group struct {
	left, defaulted []*schema.Field
	items           []*item
}

func (r *store) groups(c *call, items []*item, inserted bool) []*group {
	return grouped(items, func(it *item) group {
		return group{left: r.left(c.tx.Statement.Context, it.val, inserted)}
	})
}

// grouped puts items together that are of one group, in the order of the first ones.
func grouped(items []*item, of func(*item) group) []*group {
	var groups []*group
	byName := map[string]*group{}
	var last *group
	for i, it := range items {
		its := of(it)
		if last != nil && slices.Equal(last.left, its.left) && slices.Equal(last.defaulted, its.defaulted) {
			last.items = append(last.items, it)
			continue
		}
		name := strings.Join(slices.Concat(names(its.left), []string{""}, names(its.defaulted)), "\x00")
		g := byName[name]
		if g == nil {
			g = &group{left: its.left, defaulted: its.defaulted, items: make([]*item, 0, len(items)-i)}
			byName[name] = g
			groups = append(groups, g)
		}
		g.items = append(g.items, it)
		last = g
	}
	return groups
}
