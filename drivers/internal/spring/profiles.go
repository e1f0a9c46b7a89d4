package spring

import (
	"errors"
	"slices"
	"strings"
)

// matchProfiles evaluates "prod", "!test", "(a | b) & c" and lists of these,
// of which one must match.
func matchProfiles(list []string, active []string) (bool, error) {
	matched := false
	for _, expr := range list {
		p := &profileParser{rest: expr, active: active}
		ok, err := p.or(0)
		if err == nil && p.peek() != 0 {
			err = errProfile
		}
		if err != nil {
			return false, err
		}
		matched = matched || ok
	}
	return matched, nil
}

var errProfile = errors.New("is not a profile expression")

type profileParser struct {
	rest   string
	active []string
}

func (p *profileParser) peek() byte {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	if p.rest == "" {
		return 0
	}
	return p.rest[0]
}

func (p *profileParser) or(depth int) (bool, error) {
	left, err := p.and(depth)
	for err == nil && p.peek() == '|' {
		p.rest = p.rest[1:]
		var right bool
		right, err = p.and(depth)
		left = left || right
	}
	return left, err
}

func (p *profileParser) and(depth int) (bool, error) {
	left, err := p.not(depth)
	for err == nil && p.peek() == '&' {
		p.rest = p.rest[1:]
		var right bool
		right, err = p.not(depth)
		left = left && right
	}
	return left, err
}

func (p *profileParser) not(depth int) (bool, error) {
	if depth > mostDepth {
		return false, errProfile
	}
	switch p.peek() {
	case '!':
		p.rest = p.rest[1:]
		v, err := p.not(depth + 1)
		return !v, err
	case '(':
		p.rest = p.rest[1:]
		v, err := p.or(depth + 1)
		if err == nil && p.peek() != ')' {
			err = errProfile
		}
		if err != nil {
			return false, err
		}
		p.rest = p.rest[1:]
		return v, nil
	}
	end := strings.IndexAny(p.rest, "!()&| \t\r\n")
	if end < 0 {
		end = len(p.rest)
	}
	if end == 0 {
		return false, errProfile
	}
	name := p.rest[:end]
	p.rest = p.rest[end:]
	return slices.Contains(p.active, name), nil
}
