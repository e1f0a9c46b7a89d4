package entity

import "github.com/samber/lo"

// LastOfEach lists the indexes of the elements of a list that a save writes: of those
// with the same key only the last. Each call of keyOf returns a map key.
func LastOfEach[E any](list []E, keyOf func(E) any) []int {
	keys := lo.Map(list, func(e E, _ int) any { return keyOf(e) })
	last := make(map[any]int, len(keys))
	for i, k := range keys {
		last[k] = i
	}
	return lo.FilterMap(keys, func(k any, i int) (int, bool) { return i, last[k] == i })
}

// ShownID is what an error calls an entity by: the parts of a composite key, the key, or
// nil for an entity that has none yet.
func ShownID(key []any, none bool) any {
	switch {
	case len(key) > 1:
		return key
	case none:
		return nil
	default:
		return key[0]
	}
}
