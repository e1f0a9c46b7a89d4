package etcdlock

import (
	"slices"
	"unicode/utf8"
)

// maxName bounds a name in bytes: far above any type name, far below what
// etcd accepts in one request.
const maxName = 4096

// CheckName returns ErrInvalid for a name that no Locker can lock: an empty one, one of
// more than 4096 bytes, or one that is not UTF-8. It sends nothing to etcd.
func (l *Locker) CheckName(name string) error {
	_, err := l.checkNames("checking a name", []string{name})
	return err
}

// Path returns what the keys of a name's queue in etcd begin with: the namespace, the name
// as it is, and a slash. Nothing is escaped. What locks the path without that slash by
// concurrency.Mutex, etcdctl lock or the v3lock service excludes, and is excluded by, this
// Locker's locks of the name. Keys with a further slash are in the queues of longer names.
func (l *Locker) Path(name string) string { return l.queues.Path(name) }

// checkNames returns the names sorted, which is the order in which everybody
// takes them.
func (s *settings) checkNames(doing string, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, invalid(doing, "no name given")
	}
	for _, name := range names {
		switch {
		case name == "":
			return nil, invalid(doing, "a name is empty")
		case len(name) > maxName:
			return nil, invalid(doing, "a name has %d bytes, at most %d are allowed", len(name), maxName)
		case !utf8.ValidString(name):
			return nil, invalid(doing, "name %q is not valid UTF-8", name)
		}
	}
	if len(names) == 1 {
		return names, nil
	}
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return nil, invalid(doing, "name %q is given twice", sorted[i])
		}
	}
	return sorted, nil
}
