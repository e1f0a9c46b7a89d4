package drivers

import (
	"errors"
	"fmt"
	"strings"
)

const (
	mostExpanded = 64 << 10 // bytes that a value may grow to
	mostLookups  = 1000     // placeholders that one value may take
)

var (
	errTooLong = errors.New("grows too long by its placeholders")
	errTooMany = errors.New("has too many placeholders")
)

// placeholders replaces ${name} and ${name:default}. Name and default may hold
// placeholders themselves. A name is looked up as an environment variable, then
// as a property of the file, in Spring's relaxed way both times.
type placeholders struct {
	props properties
	env   environ
	open  map[string]bool // names being resolved, to notice circles
	left  int             // lookups that are left
}

func (s *springFile) expand(props properties, text string) (string, error) {
	p := &placeholders{props: props, env: s.env, open: map[string]bool{}, left: mostLookups}
	return p.expand(text)
}

func (p *placeholders) expand(text string) (string, error) {
	if len(text) > mostExpanded {
		return "", errTooLong
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "${")
		b.WriteString(before)
		if b.Len() > mostExpanded {
			return "", errTooLong
		}
		if !ok {
			return b.String(), nil
		}
		// Counted before it is known to be one: looking for its end takes time.
		if p.left--; p.left < 0 {
			return "", errTooMany
		}
		body, after, ok := closing(rest)
		if !ok { // not a placeholder: Spring leaves it, too
			b.WriteString("${")
			text = rest
			continue
		}
		v, err := p.lookup(body)
		if err != nil {
			return "", err
		}
		b.WriteString(v)
		text = after
	}
}

// closing splits at the brace that closes the placeholder.
func closing(s string) (body, after string, ok bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "${"):
			depth++
			i++
		case s[i] == '}' && depth > 0:
			depth--
		case s[i] == '}':
			return s[:i], s[i+1:], true
		}
	}
	return "", "", false
}

// splitDefault splits at the first colon outside an inner placeholder.
func splitDefault(body string) (name, def string, has bool) {
	depth := 0
	for i := range len(body) {
		switch {
		case strings.HasPrefix(body[i:], "${"):
			depth++
		case body[i] == '}' && depth > 0:
			depth--
		case body[i] == ':' && depth == 0:
			return body[:i], body[i+1:], true
		}
	}
	return body, "", false
}

func (p *placeholders) lookup(body string) (string, error) {
	if len(p.open) > mostDepth {
		return "", errTooMany
	}
	name, def, hasDefault := splitDefault(body)
	name, err := p.expand(name)
	if err != nil {
		return "", err
	}
	name = strings.TrimSpace(name)
	if v, ok := p.env.vars[name]; ok {
		return v, nil
	}
	if v, ok := p.env.squashed[squash(name)]; ok && looksLikeName(name) {
		return v, nil
	}
	key := canonical(name)
	if prop, ok := p.props[key]; ok && !prop.isList {
		if p.open[key] {
			return "", fmt.Errorf("has a placeholder that leads back to itself%s", named(name))
		}
		p.open[key] = true
		defer delete(p.open, key)
		return p.expand(prop.text)
	}
	if !hasDefault {
		return "", fmt.Errorf("has a placeholder without a value and without a default%s", named(name))
	}
	return p.expand(def)
}

// named shows the name of a placeholder if it can be nothing else.
func named(name string) string {
	if looksLikeName(name) {
		return ": " + name
	}
	return ""
}
