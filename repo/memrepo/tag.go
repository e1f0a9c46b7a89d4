package memrepo

import (
	"reflect"
	"strings"

	"github.com/samber/lo"
)

// setting is one part of a GORM tag: its name in lower case, and its value.
type setting struct{ name, value string }

// settings are the parts of a GORM tag.
func settings(tag reflect.StructTag) []setting {
	return lo.Map(strings.Split(tag.Get("gorm"), ";"), func(part string, _ int) setting {
		name, value, _ := strings.Cut(part, ":")
		return setting{strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)}
	})
}

// hasSetting tells whether a tag has one of the settings.
func hasSetting(tag reflect.StructTag, names ...string) bool {
	return lo.SomeBy(settings(tag), func(s setting) bool { return lo.Contains(names, s.name) })
}
