package driver_test

import (
	"testing"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/driver"
)

// element has a key and a size.
type element struct {
	key   any
	bytes int
}

func TestGroupSize(t *testing.T) {
	t.Parallel()
	const limit, megabyte = 4, 1 << 20
	keys := func(keys ...any) []element {
		return lo.Map(keys, func(key any, _ int) element { return element{key: key} })
	}
	sized := func(key any, bytes int) []element { return []element{{key, bytes}} }
	for name, c := range map[string]struct {
		calls [][]element
		want  int
	}{
		"None":                  {nil, 0},
		"One":                   {[][]element{keys(1)}, 1},
		"AsManyAsTheLimit":      {[][]element{keys(1), keys(2), keys(3), keys(4)}, 4},
		"OneMore":               {[][]element{keys(1), keys(2), keys(3), keys(4), keys(5)}, 4},
		"Lists":                 {[][]element{keys(1, 2), keys(3, 4), keys(5)}, 2},
		"AListPastTheLimit":     {[][]element{keys(1, 2), keys(3, 4, 5), keys(6)}, 1},
		"ALongListIsForItself":  {[][]element{keys(1, 2, 3, 4, 5), keys(6)}, 1},
		"NoElements":            {[][]element{keys(), keys(1), keys()}, 3},
		"KeyOfAnotherCall":      {[][]element{keys(1), keys(2), keys(1), keys(3)}, 2},
		"KeyOfAnotherList":      {[][]element{keys(1, 2), keys(3, 2)}, 1},
		"KeyTwiceInACall":       {[][]element{keys(1, 1), keys(2)}, 2},
		"KeyTwiceThenElsewhere": {[][]element{keys(1, 1), keys(2), keys(1)}, 2},
		"KeysOfOtherTypes":      {[][]element{keys(1), keys("1")}, 2},
		"AMegabyte":             {[][]element{sized(1, megabyte/2), sized(2, megabyte/2), sized(3, 0)}, 3},
		"AByteMore":             {[][]element{sized(1, megabyte/2), sized(2, megabyte/2+1)}, 1},
		"TooLargeByItself":      {[][]element{sized(1, megabyte+1), sized(2, 0)}, 1},
	} {
		calls := lo.Map(c.calls, func(es []element, _ int) driver.SaveCall[element] {
			return driver.SaveCall[element]{Entities: lo.ToSlicePtr(es)}
		})
		if got := driver.GroupSize(calls, limit, func(e *element) (any, int) { return e.key, e.bytes }); got != c.want {
			t.Errorf("%s: %d calls, want %d", name, got, c.want)
		}
	}
}
