package drivers

import (
	"context"
	"strings"

	"github.com/holdfast-go/holdfast/drivers/internal/mistake"
	"github.com/holdfast-go/holdfast/drivers/internal/spring"
)

// mapping is one property, in canonical form and as Spring's documentation
// writes it, and the native field that it sets.
type mapping struct{ property, field, shown string }

// starterNames maps the properties of the Java starter and their kin to native
// fields. In the starter cert is the authority and keyCert the client's
// certificate.
func starterNames() []mapping {
	return []mapping{
		{"endpoints", "etcd.endpoints", "endpoints"},
		{"endpoint", "etcd.endpoints", "endpoint"},
		{"cert", "etcd.ca", "cert"},
		{"keycert", "etcd.cert", "keyCert"},
		{"keyfile", "etcd.key", "keyFile"},
		{"servername", "etcd.serverName", "serverName"},
		{"username", "etcd.username", "username"},
		{"password", "etcd.password", "password"},
		{"dialtimeout", "etcd.dialTimeout", "dialTimeout"},
		{"keepalivetime", "etcd.keepAliveTime", "keepAliveTime"},
		{"keepalivetimeout", "etcd.keepAliveTimeout", "keepAliveTimeout"},
		{"proxy", "etcd.proxy", "proxy"},
	}
}

// springLoad reads the parts of a Spring configuration that concern the drivers.
type springLoad struct {
	*loader
	*spring.Environment
	fields  map[string]field
	ignored []string // settings without a counterpart
}

// spring returns false when the sources are beyond use.
func (l *loader) spring(data []byte, fields []field) bool {
	env := spring.Read(spring.Request{Path: l.path, Data: data, Profiles: l.opts.Profiles, Skip: l.opts.Skip}, l.env, &l.bad)
	if l.bad.Any() {
		return false
	}
	s := &springLoad{loader: l, Environment: env, fields: map[string]field{}}
	for _, f := range fields {
		s.fields[f.name] = f
	}
	s.etcd()
	s.sql()
	s.mongo()
	if log := l.opts.Logger; log != nil && len(s.ignored) > 0 {
		log.DebugContext(context.Background(), "settings without a counterpart, which change nothing", "names", s.ignored)
	}
	return true
}

func (s *springLoad) etcd() {
	prefixes := s.StarterPrefixes()
	if len(prefixes) > 1 {
		for _, property := range []string{".endpoint", ".endpoints"} {
			if p, ok := s.Raw(prefixes[1] + property); ok {
				s.bad.Add(p.File, p.Line, p.Name, "etcd is configured under more than one prefix")
				return
			}
		}
		s.bad.Add("", 0, "", "etcd is configured under more than one prefix")
		return
	}
	for _, prefix := range prefixes {
		for _, n := range starterNames() {
			s.assign(n.field, prefix+"."+n.shown, prefix+"."+n.property)
		}
	}
}

// find looks up the first of the properties that is set, and reports what cannot
// be used. Where the variable of the field is set, what the property holds does not
// matter.
func (s *springLoad) find(fieldName string, names ...string) (p spring.Property, ok bool) {
	for _, name := range names {
		p, ok, err := s.Lookup(name)
		if !ok {
			continue
		}
		variable := ""
		if f, known := s.fields[fieldName]; known {
			variable = f.env()
			if s.env.Vars[variable] != "" {
				return p, true
			}
		}
		if err != nil {
			s.bad.Add(p.File, p.Line, p.Name, "%v", err)
			return p, false
		}
		for _, text := range p.Texts() {
			if what := spring.Foreign(text); what != "" {
				if variable == "" {
					variable = strings.ToUpper(strings.ReplaceAll(name, ".", "_"))
				}
				s.bad.Add(p.File, p.Line, p.Name, "%s; give the plain value in the environment variable %s", what, variable)
				return p, false
			}
		}
		return p, true
	}
	return spring.Property{}, false
}

// assign sets a native field from the first of the properties that is set.
func (s *springLoad) assign(fieldName, show string, names ...string) {
	s.assignAs(fieldName, show, nil, names...)
}

// assignAs is assign with a change of the value on its way.
func (s *springLoad) assignAs(fieldName, show string, change func(string) (string, error), names ...string) {
	p, ok := s.find(fieldName, names...)
	if p.Name == "" {
		// What is missing is reported under the name to add.
		if _, set := s.places[fieldName]; !set {
			s.rename[fieldName] = show
		}
		return
	}
	if s.rename[fieldName] = mistake.Shown(p.Name); s.rename[fieldName] == "" {
		s.rename[fieldName] = fieldName
	}
	s.places[fieldName] = place{p.File, p.Line}
	f := s.fields[fieldName]
	if !ok || s.env.Vars[f.env()] != "" {
		return
	}
	v := value{text: p.Text, list: p.List, isList: p.IsList, spring: true}
	var err error
	if change != nil {
		v.text, err = change(v.text)
	}
	if err == nil {
		err = f.set(&s.conf, v)
	}
	if err != nil {
		s.bad.Add(p.File, p.Line, p.Name, "%v", err)
	}
}

// text reads a property that sets no field by itself.
func (s *springLoad) text(names ...string) (string, bool) {
	p, ok := s.find("", names...)
	return strings.TrimSpace(p.Text), ok
}

// refuse reports a property that is set to something.
func (s *springLoad) refuse(problem string, names ...string) {
	for _, name := range names {
		if p, ok := s.find("", name); ok && (p.IsList || p.Text != "") {
			s.bad.Add(p.File, p.Line, p.Name, "%s", problem)
		}
	}
}
