package spring

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"

	"github.com/holdfast-go/holdfast/drivers/internal/mistake"
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
// placeholders themselves. A name is looked up as Spring does: a property of the
// Java runtime, an environment variable, a property of the files.
type placeholders struct {
	file func(canonical string) (Property, bool)
	env  Environ
	open map[string]bool // names being resolved, to notice circles
	left int             // lookups that are left
}

func expand(env Environ, file func(string) (Property, bool), text string) (string, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	p := &placeholders{file: file, env: env, open: map[string]bool{}, left: mostLookups}
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
	if v, ok := p.env.Vars[name]; ok {
		return v, nil
	}
	if v, ok := ofJava(name); ok {
		return v, nil
	}
	key := Canonical(name)
	prop, ok := p.env.property(key)
	if !ok || !mistake.LooksLikeName(name) {
		prop, ok = p.file(key)
	}
	if ok && !prop.IsList {
		if p.open[key] {
			return "", fmt.Errorf("has a placeholder that leads back to itself%s", named(name))
		}
		p.open[key] = true
		defer delete(p.open, key)
		return p.expand(prop.Text)
	}
	if !hasDefault {
		return "", fmt.Errorf("has a placeholder without a value and without a default%s", named(name))
	}
	return p.expand(def)
}

// named shows the name of a placeholder if it can be nothing else.
func named(name string) string {
	if mistake.LooksLikeName(name) {
		return ": " + name
	}
	return ""
}

// ofJava gives the properties of the Java runtime that mean the same here.
func ofJava(name string) (string, bool) {
	var v string
	var err error
	switch name {
	case "user.home":
		v, err = os.UserHomeDir()
	case "user.dir":
		v, err = os.Getwd()
	case "java.io.tmpdir":
		v = os.TempDir()
	case "file.separator":
		v = string(os.PathSeparator)
	case "user.name":
		var u *user.User
		if u, err = user.Current(); err == nil {
			v = u.Username
		}
	default:
		return "", false
	}
	return v, err == nil
}
