package spring

import (
	"path/filepath"
	"slices"
	"strings"
)

// contributor is a place in the tree of sources: a document with its properties,
// or a location that only has children. Children come from imports, and win over
// their parent; those found once the profiles are known win over those found
// before. In a list of children the first wins.
type contributor struct {
	props   properties
	file    string
	imports []location

	bound    bool
	profile  Property // of spring.config.activate.on-profile, if it has one
	cloud    Property
	limited  bool // has one of the two
	inactive bool // by the cloud, or by an expression that is wrong

	specific     bool // from a file that is specific to a profile, not yet moved up
	fromSpecific bool

	children [2][]*contributor
	done     [2]bool
}

const (
	beforeProfiles = iota
	afterProfiles
)

// walk visits the tree, the strongest source first, until f says no.
func (c *contributor) walk(f func(*contributor) bool) bool {
	for _, phase := range []int{afterProfiles, beforeProfiles} {
		for _, child := range c.children[phase] {
			if !child.walk(f) {
				return false
			}
		}
	}
	return f(c)
}

// moveSpecific lets the files of a profile that a child imported win over all
// files that are specific to none.
func (c *contributor) moveSpecific() {
	var moved []*contributor
	for _, child := range c.children[beforeProfiles] {
		for phase := range child.children {
			var kept []*contributor
			for _, grandchild := range child.children[phase] {
				if grandchild.specific {
					grandchild.specific = false
					moved = append(moved, grandchild)
				} else {
					kept = append(kept, grandchild)
				}
			}
			child.children[phase] = kept
		}
		child.moveSpecific()
	}
	c.children[afterProfiles] = append(moved, c.children[afterProfiles]...)
}

// process reads what the tree imports, until nothing new comes. What was read
// once is not read again.
func (r *reader) process(phase int) {
	for {
		var next *contributor
		r.top.walk(func(c *contributor) bool {
			if !c.bound || len(c.imports) > 0 && !c.done[phase] && r.active(c, phase) {
				next = c
			}
			return next == nil
		})
		if next == nil {
			return
		}
		if !next.bound {
			r.bind(next)
			continue
		}
		if r.left--; r.left < 0 {
			r.bad.Add("", 0, "", "too many files import each other")
			return
		}
		next.done[phase] = true
		var found []resource
		for _, loc := range next.imports {
			found = append(found, r.resolve(loc, next.file, phase == afterProfiles && !next.fromSpecific)...)
		}
		var children []*contributor
		for _, res := range slices.Backward(found) {
			children = append(children, r.load(res)...)
		}
		next.children[phase] = append(next.children[phase], children...)
		if phase == afterProfiles {
			next.moveSpecific()
		}
	}
}

// load gives the documents of a resource, the strongest first.
func (r *reader) load(res resource) []*contributor {
	key := res.path
	if abs, err := filepath.Abs(key); err == nil {
		key = abs
	}
	if r.loaded[key] {
		return nil
	}
	r.loaded[key] = true
	docs := r.documents(res)
	var out []*contributor
	for _, doc := range slices.Backward(docs) {
		out = append(out, &contributor{props: doc, file: res.path, specific: res.specific, fromSpecific: res.specific})
	}
	return out
}

const mostImports = 1000

// bind reads what a document says about itself.
func (r *reader) bind(c *contributor) {
	c.bound = true
	if p, ok := c.props["spring.config.activate.onprofile"]; ok {
		c.profile, c.limited = r.expanded(p), true
	} else if p, ok := c.props["spring.profiles"]; ok { // until Spring Boot 2.3
		c.profile, c.limited = r.expanded(p), true
	}
	if c.limited {
		if _, err := matchProfiles(c.profile.Items(), nil); err != nil {
			r.bad.Add(c.profile.File, c.profile.Line, c.profile.Name, "%v", err)
			c.inactive = true
		}
	}
	if p, ok := c.props["spring.config.activate.oncloudplatform"]; ok {
		c.cloud, c.limited = r.expanded(p), true
		c.inactive = c.inactive || !r.onCloud(c.cloud.Text)
	}
	if p, ok := c.props["spring.config.import"]; ok {
		p = r.expanded(p)
		for _, text := range p.Items() {
			c.imports = append(c.imports, location{text: text, by: p})
		}
	}
}

func (r *reader) onCloud(name string) bool {
	if p, ok := r.lookup("spring.main.cloudplatform"); ok {
		return Canonical(p.Text) == Canonical(name)
	}
	return r.env.onCloud(name)
}

// active says whether a document counts. Before the profiles are known, one that
// needs a profile does not.
func (r *reader) active(c *contributor, phase int) bool {
	if c.inactive {
		return false
	}
	if c.profile.Name == "" {
		return true
	}
	if phase == beforeProfiles {
		return false
	}
	match, err := matchProfiles(c.profile.Items(), r.accepted)
	return err == nil && match
}

// lookup finds a property in the environment or in the documents that count so
// far.
func (r *reader) lookup(canonical string) (p Property, ok bool) {
	if p, ok = r.env.property(canonical); ok {
		return p, true
	}
	return r.inFiles(canonical)
}

func (r *reader) inFiles(canonical string) (p Property, ok bool) {
	r.top.walk(func(c *contributor) bool {
		if c.bound && r.active(c, r.phase) {
			p, ok = c.props[canonical]
		}
		return !ok
	})
	return p, ok
}

// expanded replaces the placeholders of a property that says what to read. One
// without a value stays, as in Spring, and what it names is not found.
func (r *reader) expanded(p Property) Property {
	replace := func(text string) string {
		out, err := expand(r.env, r.inFiles, text)
		if err != nil {
			r.bad.Add(p.File, p.Line, p.Name, "%v", err)
			return ""
		}
		if what := Foreign(out); what != "" {
			r.bad.Add(p.File, p.Line, p.Name, "%s", what)
			return ""
		}
		return out
	}
	if !p.IsList {
		p.Text = replace(p.Text)
		return p
	}
	list := make([]string, len(p.List))
	for i, item := range p.List {
		list[i] = replace(item)
	}
	p.List = list
	return p
}

// profiles finds the accepted profiles, in the order in which later ones win.
func (r *reader) profiles() []string {
	names := func(key string) []string {
		if p, ok := r.lookup(key); ok {
			return r.expanded(p).Items()
		}
		return nil
	}
	list := r.chosen
	if len(list) == 0 {
		list = names("spring.profiles.active")
	}
	if p, ok := r.env.property("spring.profiles.include"); ok {
		list = append(list, p.Items()...)
	}
	r.top.walk(func(c *contributor) bool {
		if p, ok := c.props["spring.profiles.include"]; ok && r.active(c, beforeProfiles) {
			list = append(list, r.expanded(p).Items()...)
		}
		return true
	})
	if len(list) == 0 {
		list = names("spring.profiles.default")
	}
	if len(list) == 0 {
		list = []string{"default"}
	}
	var out []string
	seen := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		out = append(out, name)
		for _, member := range names("spring.profiles.group." + Canonical(name)) {
			add(member)
		}
	}
	for _, name := range list {
		add(name)
	}
	return out
}

// misplaced reports the choice of profiles in a document of a profile, with
// which Spring Boot does not start.
func (r *reader) misplaced() {
	r.top.walk(func(c *contributor) bool {
		if !c.fromSpecific && c.profile.Name == "" {
			return true
		}
		for name, p := range c.props {
			switch {
			case name == "spring.profiles.active", name == "spring.profiles.default", name == "spring.profiles.include",
				strings.HasPrefix(name, "spring.profiles.group."):
				r.bad.Add(p.File, p.Line, p.Name, "stands in a document or file of a profile, where Spring Boot refuses it")
			}
		}
		return true
	})
}
