package etcdlock

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxName bounds a name in bytes: far above any type name, far below what
// etcd takes in one request.
const maxName = 4096

const upperHex = "0123456789ABCDEF"

// escape turns a name into one path segment. It keeps the characters that
// names of types, packages and ids are made of and writes every other byte as
// %XX. A slash never survives, so the queue "<escaped>/" of one name is never
// a prefix of another's. A leading dot is written as %2E: ".session" belongs
// to the sessions.
func escape(name string) string {
	var b strings.Builder
	b.Grow(len(name) + 8)
	for i := range len(name) {
		c := name[i]
		if keeps(c) && (i > 0 || c != '.') {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(upperHex[c>>4])
		b.WriteByte(upperHex[c&15])
	}
	return b.String()
}

func keeps(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	default:
		return strings.IndexByte("-._~:@$*+,;=()[]{}#", c) >= 0
	}
}

// unescape undoes escape. It reports false for anything that escape does not
// produce, so that one name has one spelling.
func unescape(segment string) (string, bool) {
	var b strings.Builder
	b.Grow(len(segment))
	for i := 0; i < len(segment); i++ {
		if segment[i] != '%' {
			b.WriteByte(segment[i])
			continue
		}
		if i+2 >= len(segment) {
			return "", false
		}
		hi, lo := strings.IndexByte(upperHex, segment[i+1]), strings.IndexByte(upperHex, segment[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	name := b.String()
	return name, name != "" && utf8.ValidString(name) && escape(name) == segment
}

// CheckName returns ErrInvalid for a name that this Locker cannot lock: an empty
// one, one of more than 4096 bytes or that is not UTF-8, and without a namespace
// one with a slash. It sends nothing to etcd.
func (l *Locker) CheckName(name string) error {
	_, err := l.checkNames("checking a name", []string{name})
	return err
}

// prefix returns the directory of the queue of a checked name.
func (s *settings) prefix(name string) string {
	if s.namespace == "" {
		return name + "/"
	}
	return s.namespace + escape(name) + "/"
}

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
		case s.namespace == "" && strings.Contains(name, "/"):
			return nil, invalid(doing, "name %q contains a slash, which needs a namespace", name)
		case s.namespace == "" && name+"/" == defaultNamespace:
			return nil, invalid(doing, "name %q is the default namespace", name)
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
