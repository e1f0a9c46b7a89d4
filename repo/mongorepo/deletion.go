package mongorepo

import "github.com/samber/lo"

// deletion is one entity on its way out.
type deletion struct {
	keyed
	shown   any    // the id for errors
	version *int64 // must be stored; nil when any may be
	err     error
}

func keysOf(list []*deletion) []keyed {
	return lo.Map(list, func(d *deletion, _ int) keyed { return d.keyed })
}
