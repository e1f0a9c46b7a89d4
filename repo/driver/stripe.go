package driver

import (
	"fmt"
	"regexp"
)

// A type can have several locks, its stripes, each for some of its entities. The set of
// them guards the table under a name of its own, such as order%16, and no lock has that
// name. The locks are order%16/00 to order%16/15.
var stripeName = regexp.MustCompile(`^(.*%\d+)(/\d+)?$`)

// StripeSet is the name of the set of n stripes of a key.
func StripeSet(key string, n int) string { return fmt.Sprintf("%s%%%d", key, n) }

// Stripe is the key of one stripe of a set. Keys of up to 100 stripes sort like their
// numbers.
func Stripe(set string, i int) string { return fmt.Sprintf("%s/%02d", set, i) }

// IsStripeName tells whether a key looks like a set of stripes or like one of them. Such
// a key cannot be one of its own.
func IsStripeName(key string) bool { return stripeName.MatchString(key) }

// SetOf is the name of the set that a key is a stripe of, empty where it is none.
func SetOf(key string) string {
	if m := stripeName.FindStringSubmatch(key); len(m) == 3 && m[2] != "" {
		return m[1]
	}
	return ""
}

// Guards tells whether a lock of the key belongs to a guard: it is the guard itself, or
// one of the stripes of it.
func Guards(guard, key string) bool { return guard != "" && (key == guard || SetOf(key) == guard) }
