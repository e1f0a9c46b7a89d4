package spring

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/drivers/internal/mistake"
)

// Request says what to read.
type Request struct {
	// Path is the file that the user named. When it is empty, Data alone is read,
	// as YAML, and what it imports is a mistake.
	Path string
	Data []byte
	// Profiles replace spring.profiles.active.
	Profiles []string
	// Skip names sources that need not be read: a location as it is written, its
	// kind with a colon, or the name of a file.
	Skip []string
}

// Environment answers for the values of properties, like Spring's.
type Environment struct {
	env      Environ
	files    properties
	Profiles []string // the accepted ones
}

type reader struct {
	env    Environ
	bad    *mistake.List
	root   string // of the classpath
	files  bool   // whether files may be read
	names  []string
	skip   []string
	chosen []string // profiles

	top      *contributor
	phase    int
	accepted []string
	loaded   map[string]bool
	left     int
}

// Read reads the file, those that belong to it, and what they import.
func Read(req Request, env Environ, bad *mistake.List) *Environment {
	r := &reader{
		env: env.withJSON(bad), bad: bad, files: req.Path != "", chosen: slices.Clone(req.Profiles), left: mostImports,
		loaded: map[string]bool{}, top: &contributor{bound: true},
		skip: append(slices.Clone(req.Skip), strings.FieldsFunc(env.Vars["HOLDFAST_SKIP"], func(c rune) bool { return c == ',' })...),
	}
	for i := range r.skip {
		r.skip[i] = strings.TrimPrefix(strings.TrimSpace(r.skip[i]), "optional:")
	}
	if r.files {
		r.locations(req.Path)
	} else {
		c := &contributor{bound: true, imports: []location{{}}}
		for _, doc := range r.parse("", "yaml", req.Data) {
			c.children[beforeProfiles] = append([]*contributor{{props: doc}}, c.children[beforeProfiles]...)
		}
		r.top.children[beforeProfiles] = []*contributor{c}
	}
	r.process(beforeProfiles)
	r.accepted = r.profiles()
	r.phase = afterProfiles
	r.process(afterProfiles)
	r.misplaced()
	r.remoteSources()
	if r.files {
		r.reached(req.Path)
	}
	return r.result()
}

// locations sets where the search begins, the strongest first.
func (r *reader) locations(path string) {
	r.names = []string{"application"}
	if p, ok := r.env.property("spring.config.name"); ok {
		r.names = p.Items()
	}
	dir, base := filepath.Split(filepath.Clean(path))
	r.root = filepath.Clean(dir)
	asFile := !slices.Contains(r.names, strings.TrimSuffix(base, filepath.Ext(base)))
	var first []location
	if asFile {
		first = []location{{text: "optional:" + path}}
	} else {
		r.root = r.rootOf(r.root)
		at := func(sub string) string { return "optional:" + filepath.ToSlash(filepath.Join(r.root, sub)) + "/" }
		bootstrap := []string{"bootstrap"}
		if p, ok := r.env.property("spring.cloud.bootstrap.name"); ok {
			bootstrap = p.Items()
		}
		first = []location{
			{text: at("") + ";" + at("config"), names: bootstrap},
			{text: at("") + ";" + at("config") + ";" + at("config/*")},
		}
	}
	if p, ok := r.env.property("spring.config.location"); ok {
		first = locationsIn(p)
	}
	for _, key := range []string{"spring.config.additionallocation", "spring.config.import"} {
		if p, ok := r.env.property(key); ok {
			first = append(first, locationsIn(p)...)
		}
	}
	for _, loc := range slices.Backward(first) {
		r.top.children[beforeProfiles] = append(r.top.children[beforeProfiles], &contributor{bound: true, imports: []location{loc}})
	}
}

func locationsIn(p Property) []location {
	var out []location
	for _, text := range p.Items() {
		out = append(out, location{text: text, by: p})
	}
	return out
}

// rootOf finds the folder that Spring Boot starts from. It reads config/ on top of
// the folder around it.
func (r *reader) rootOf(dir string) string {
	parent := filepath.Dir(dir)
	if filepath.Base(dir) != "config" || parent == dir {
		return dir
	}
	for _, name := range r.names {
		for _, ext := range extensions() {
			if isFile(filepath.Join(parent, name+"."+ext)) {
				return parent
			}
		}
	}
	return dir
}

// reached reports a file that the user named and that Spring Boot would not read.
func (r *reader) reached(path string) {
	abs, err := filepath.Abs(path)
	if err == nil && !r.loaded[abs] {
		p, _ := r.env.property("spring.config.location")
		r.bad.Add("", 0, p.Name, "names other files than the one to load; unset it, or load one that it names")
	}
}

func isBootstrap(file string) bool {
	return strings.HasPrefix(filepath.Base(file), "bootstrap")
}

// result lays the documents that count over each other.
func (r *reader) result() *Environment {
	var all []properties
	r.top.walk(func(c *contributor) bool {
		if c.props != nil && r.active(c, afterProfiles) {
			all = append(all, c.props)
		}
		return true
	})
	e := &Environment{env: r.env, files: properties{}, Profiles: r.accepted}
	for _, ps := range slices.Backward(all) {
		maps.Copy(e.files, ps)
	}
	return e
}

// Names gives the canonical names of all properties in the files, sorted.
func (e *Environment) Names() []string { return slices.Sorted(maps.Keys(e.files)) }

// Raw gives a property of the files as it is written.
func (e *Environment) Raw(canonical string) (Property, bool) {
	p, ok := e.files[canonical]
	return p, ok
}

// Lookup gives the value of a property: from the environment, else from the files,
// with its placeholders replaced. With an error the property still tells where it
// stands.
func (e *Environment) Lookup(canonical string) (p Property, ok bool, err error) {
	if p, ok = e.env.property(canonical); !ok {
		if p, ok = e.files[canonical]; !ok {
			return Property{}, false, nil
		}
	}
	if p.Unclear {
		return p, true, errors.New("is a number to YAML, which Java writes in another way: put it in quotes")
	}
	file := func(name string) (Property, bool) {
		p, ok := e.files[name]
		return p, ok
	}
	if !p.IsList {
		p.Text, err = expand(e.env, file, p.Text)
		return p, true, err
	}
	p.List = slices.Clone(p.List)
	for i, item := range p.List {
		if p.List[i], err = expand(e.env, file, item); err != nil {
			break
		}
	}
	return p, true, err
}
