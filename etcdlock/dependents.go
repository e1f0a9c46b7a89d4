package etcdlock

import "sync"

// dependents must have ended when something else has. A function that context.AfterFunc
// runs may come late.
type dependents struct {
	mu  sync.Mutex
	all map[*func(cause error)]struct{}
}

// add has end called with the others, and returns what takes that back.
func (d *dependents) add(end func(cause error)) (forget func() bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil {
		d.all = make(map[*func(cause error)]struct{})
	}
	d.all[&end] = struct{}{}
	return func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.all, &end)
		return true
	}
}

// end ends them all.
func (d *dependents) end(cause error) {
	d.mu.Lock()
	all := d.all
	d.all = nil
	d.mu.Unlock()
	for end := range all {
		(*end)(cause)
	}
}
