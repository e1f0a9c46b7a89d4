package drivers

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// springFile is an application.yaml of which the matching documents are merged.
type springFile struct {
	*loader
	props properties
}

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

// mapping is one property, in canonical form and as Spring's documentation
// writes it, and the native field that it sets.
type mapping struct{ property, field, shown string }

// springNames maps Spring Boot's own properties. Of two for one field the later
// wins.
func springNames() []mapping {
	return []mapping{
		{"spring.datasource.hikari.jdbcurl", "sql.dsn", "spring.datasource.hikari.jdbc-url"},
		{"spring.datasource.hikari.username", "sql.username", "spring.datasource.hikari.username"},
		{"spring.datasource.hikari.password", "sql.password", "spring.datasource.hikari.password"},
		{"spring.datasource.url", "sql.dsn", "spring.datasource.url"},
		{"spring.datasource.username", "sql.username", "spring.datasource.username"},
		{"spring.datasource.password", "sql.password", "spring.datasource.password"},
		{"spring.datasource.hikari.maximumpoolsize", "sql.maxOpenConns", "spring.datasource.hikari.maximum-pool-size"},
		{"spring.datasource.hikari.maxlifetime", "sql.connMaxLifetime", "spring.datasource.hikari.max-lifetime"},
		{"spring.datasource.hikari.idletimeout", "sql.connMaxIdleTime", "spring.datasource.hikari.idle-timeout"},
	}
}

// spring reads the parts of an application.yaml that concern the drivers and
// passes over all others.
func (l *loader) spring(docs []*yaml.Node, fields []field) {
	s := &springFile{loader: l}
	s.merge(docs)
	if s.left() {
		return
	}
	set := map[string]field{}
	for _, f := range fields {
		set[f.name] = f
	}
	if prefix, ok := s.starterPrefix(); ok {
		for _, n := range starterNames() {
			s.assign(prefix+"."+n.property, set[n.field], prefix+"."+n.shown)
		}
	}
	for _, n := range springNames() {
		s.assign(n.property, set[n.field], n.shown)
	}
	if l.conf.SQL.DSN == "" && l.env.vars[set["sql.dsn"].env()] == "" {
		l.conf.SQL = SQLConfig{} // a user name alone, or an embedded database
	}
	// Spring Boot 4 drops the data from the name.
	s.mongo("spring.data.mongodb", set)
	s.mongo("spring.mongodb", set)
}

// left says whether the file is beyond use.
func (s *springFile) left() bool { return len(s.bad.list) > 0 }

// merge lays the documents whose profile is active over each other.
func (s *springFile) merge(docs []*yaml.Node) {
	flat := make([]properties, len(docs))
	common := properties{}
	for i, doc := range docs {
		flat[i] = flatten(doc, &s.bad)
		if _, ok := profileOf(flat[i]); !ok {
			maps.Copy(common, flat[i])
		}
	}
	active := s.activeProfiles(common)
	s.props = properties{}
	for _, doc := range flat {
		if p, ok := profileOf(doc); ok {
			list := p.list
			if !p.isList {
				list = strings.Split(p.text, ",")
			}
			match, err := matchProfiles(list, active)
			if err != nil {
				s.bad.add(shown(p.name), p.line, "%v", err)
			}
			if !match {
				continue
			}
		}
		maps.Copy(s.props, doc)
	}
}

// starterPrefix finds what stands before the starter's properties, such as
// leopold.etcd.
func (s *springFile) starterPrefix() (string, bool) {
	var all, withEndpoint []string
	for _, name := range slices.Sorted(maps.Keys(s.props)) {
		m := starterProperty.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		if !slices.Contains(all, m[1]) {
			all = append(all, m[1])
		}
		if strings.HasPrefix(m[2], "endpoint") && !slices.Contains(withEndpoint, m[1]) {
			withEndpoint = append(withEndpoint, m[1])
		}
	}
	if len(withEndpoint) > 0 {
		all = withEndpoint
	}
	switch {
	case len(all) == 0:
		return "", false
	case len(all) > 1:
		p := s.props[all[1]+".etcd.endpoint"]
		s.bad.add("", p.line, "etcd is configured under more than one prefix")
		return "", false
	}
	return all[0] + ".etcd", true
}

// assign sets a native field from a property, if there is one.
func (s *springFile) assign(property string, f field, show string) {
	v, name, ok := s.lookup(s.props, property)
	if !ok {
		// What is missing is reported under the name to add.
		if _, set := s.lines[f.name]; !set && shown(show) != "" {
			s.rename[f.name] = show
		}
		return
	}
	if name = shown(name); name == "" {
		name = f.name
	}
	s.rename[f.name] = name
	s.lines[f.name] = v.line
	// The environment has the last word, so what it replaces need not be right.
	if s.env.vars[f.env()] != "" {
		return
	}
	for _, text := range append([]string{v.text}, v.list...) {
		if (strings.HasPrefix(text, "ENC(") && strings.HasSuffix(text, ")")) || strings.HasPrefix(text, "{cipher}") {
			s.bad.add(name, v.line, "is encrypted for Java; give the plain value in the environment variable %s", f.env())
			return
		}
	}
	if err := f.set(&s.conf, v); err != nil {
		s.bad.add(name, v.line, "%v", err)
	}
}

// lookup reads a property the way Spring does: an environment variable of the
// same name wins, and placeholders are replaced.
func (s *springFile) lookup(from properties, name string) (v value, as string, ok bool) {
	if text, ok := s.env.squashed[squash(name)]; ok {
		return value{text: text, spring: true}, strings.ToUpper(strings.ReplaceAll(name, ".", "_")), true
	}
	p, ok := from[name]
	if !ok {
		return value{}, "", false
	}
	v = p.value
	var err error
	if v.text, err = s.expand(from, p.text); err == nil && p.isList {
		v.list = make([]string, len(p.list))
		for i, item := range p.list {
			if v.list[i], err = s.expand(from, item); err != nil {
				break
			}
		}
	}
	if err != nil {
		if !s.overridden(name) {
			s.bad.add(shown(p.name), p.line, "%v", err)
		}
		return value{}, "", false
	}
	return v, p.name, true
}

// overridden says whether the native variable of a property is set, so that the
// property itself does not matter.
func (s *springFile) overridden(name string) bool {
	for _, f := range allFields() {
		if s.env.vars[f.env()] == "" {
			continue
		}
		for _, n := range springNames() {
			if n.property == name && n.field == f.name {
				return true
			}
		}
		for _, n := range starterNames() {
			if strings.HasSuffix(name, ".etcd."+n.property) && n.field == f.name {
				return true
			}
		}
	}
	return false
}

// mongo reads either the URI or the parts that Spring makes one from.
func (s *springFile) mongo(prefix string, set map[string]field) {
	at := func(name string) string { return prefix + "." + name }
	if _, _, ok := s.lookup(s.props, at("uri")); ok {
		s.assign(at("uri"), set["mongo.uri"], at("uri"))
		s.assign(at("database"), set["mongo.database"], at("database"))
		return
	}
	host, _, hasHost := s.lookup(s.props, at("host"))
	database, _, hasDatabase := s.lookup(s.props, at("database"))
	if !hasHost && !hasDatabase {
		return
	}
	port, _, _ := s.lookup(s.props, at("port"))
	hosts := []string{withPort(orDefault(strings.TrimSpace(host.text), "localhost"), orDefault(strings.TrimSpace(port.text), "27017"))}
	for _, more := range s.names(s.props, at("additionalhosts")) {
		hosts = append(hosts, withPort(strings.TrimSpace(more), "27017"))
	}
	q := url.Values{}
	if v, _, ok := s.lookup(s.props, at("authenticationdatabase")); ok {
		q.Set("authSource", v.text)
	} else if hasDatabase {
		q.Set("authSource", database.text)
	}
	if v, _, ok := s.lookup(s.props, at("replicasetname")); ok {
		q.Set("replicaSet", v.text)
	}
	user, _, hasUser := s.lookup(s.props, at("username"))
	if !hasUser || user.text == "" {
		q.Del("authSource")
	}
	for _, h := range hosts {
		if strings.ContainsAny(h, "@/?#%") {
			s.bad.add(shown(at("host")), host.line, "is not a host name")
			return
		}
	}
	if _, err := strconv.ParseUint(orDefault(strings.TrimSpace(port.text), "27017"), 10, 16); err != nil {
		s.bad.add(shown(at("port")), port.line, "is not a port number")
		return
	}
	s.conf.Mongo.URI = fmt.Sprintf("mongodb://%s/?%s", strings.Join(hosts, ","), q.Encode())
	s.rename["mongo.uri"], s.lines["mongo.uri"] = at("host"), host.line
	for _, n := range []string{"database", "username", "password"} {
		s.assign(at(n), set["mongo."+n], at(n))
	}
}
