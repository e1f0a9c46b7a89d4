package drivers

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// mongo reads either the URI or the parts that Spring makes one from.
func (s *springLoad) mongo() {
	prefix, ok := s.mongoPrefix()
	if !ok {
		return
	}
	at := func(name string) string { return prefix + "." + name }
	if _, _, ok := s.properties(at("uri")); ok {
		s.assign("mongo.uri", at("uri"), at("uri"))
	} else if !s.mongoParts(at) {
		return
	}
	s.assign("mongo.database", at("database"), at("database"))
	s.mongoTLS(at)
	const legacy = "makes Java write UUIDs in a form of its own; here they are written in the standard one. Set it to standard once the data is"
	for _, name := range []string{"spring.data.mongodb.uuidrepresentation", "spring.mongodb.representation.uuid"} {
		if v, ok := s.text(name); ok && v != "" && !strings.EqualFold(v, "standard") && !strings.EqualFold(v, "unspecified") {
			s.refuse(legacy, name)
		}
	}
	if v, ok := s.text("spring.data.mongodb.autoindexcreation"); ok && strings.EqualFold(v, "true") {
		s.refuse("makes Java create indexes at its start, which is not done here: create them by hand, and set it to false", "spring.data.mongodb.autoindexcreation")
	}
	for _, name := range s.Names() {
		p, _ := s.Raw(name)
		for _, ignored := range []string{"spring.data.mongodb.repositories.", "spring.data.mongodb.gridfs.", "spring.data.mongodb.fieldnamingstrategy", "spring.data.mongodb.representation."} {
			if strings.HasPrefix(name, ignored) {
				s.ignored = append(s.ignored, p.Name)
			}
		}
	}
}

// properties is Lookup for a property of which only matters whether it is there.
func (s *springLoad) properties(name string) (file string, line int, ok bool) {
	p, ok, err := s.Lookup(name)
	if ok && err == nil && !p.IsList && strings.TrimSpace(p.Text) == "" {
		return "", 0, false
	}
	return p.File, p.Line, ok
}

// mongoPrefix finds the prefix that is used. Spring Boot 4 reads one, older ones
// the other, and which runs does not stand in the file.
func (s *springLoad) mongoPrefix() (string, bool) {
	var used []string
	for _, prefix := range []string{"spring.mongodb", "spring.data.mongodb"} {
		for _, name := range []string{"uri", "host", "database", "username"} {
			if _, _, ok := s.properties(prefix + "." + name); ok {
				used = append(used, prefix)
				break
			}
		}
	}
	if len(used) < 2 {
		return strings.Join(used, ""), len(used) == 1
	}
	for _, name := range []string{"uri", "host", "port", "database", "username", "password"} {
		newer, _, _ := s.Lookup(used[0] + "." + name)
		older, _, _ := s.Lookup(used[1] + "." + name)
		if newer.Text != older.Text {
			file, line, _ := s.properties(used[1] + "." + name)
			s.bad.Add(file, line, older.Name, "differs from spring.mongodb, which only Spring Boot 4 reads; remove one of the two")
			return "", false
		}
	}
	return used[0], true
}

// mongoParts makes a URI as Spring Boot does.
func (s *springLoad) mongoParts(at func(string) string) bool {
	host, hasHost := s.text(at("host"))
	database, hasDatabase := s.text(at("database"))
	if !hasHost && !hasDatabase {
		return false
	}
	port, _ := s.text(at("port"))
	hosts := []string{withPort(orDefault(host, "localhost"), orDefault(port, "27017"))}
	if more, ok := s.find("", at("additionalhosts")); ok {
		for _, h := range more.Items() {
			hosts = append(hosts, withPort(h, "27017"))
		}
	}
	file, line, _ := s.properties(at("host"))
	q := url.Values{}
	if user, ok := s.text(at("username")); ok && user != "" {
		source, _ := s.text(at("authenticationdatabase"))
		q.Set("authSource", orDefault(source, orDefault(database, "test")))
	}
	if v, ok := s.text(at("replicasetname")); ok && v != "" {
		q.Set("replicaSet", v)
	}
	for _, h := range hosts {
		if strings.ContainsAny(h, "@/?#%") {
			s.bad.Add(file, line, at("host"), "is not a host name")
			return false
		}
	}
	if _, err := strconv.ParseUint(orDefault(port, "27017"), 10, 16); err != nil {
		file, line, _ := s.properties(at("port"))
		s.bad.Add(file, line, at("port"), "is not a port number")
		return false
	}
	protocol, _ := s.text(at("protocol"))
	switch protocol = orDefault(protocol, "mongodb"); protocol {
	case "mongodb":
	case "mongodb+srv":
		hosts = []string{orDefault(host, "localhost")}
	default:
		file, line, _ := s.properties(at("protocol"))
		s.bad.Add(file, line, at("protocol"), "is neither mongodb nor mongodb+srv")
		return false
	}
	if s.env.Vars[s.fields["mongo.uri"].env()] == "" {
		s.conf.Mongo.URI = fmt.Sprintf("%s://%s/?%s", protocol, strings.Join(hosts, ","), q.Encode())
		s.rename["mongo.uri"], s.places["mongo.uri"] = at("host"), place{file, line}
	}
	if !hasDatabase {
		s.conf.Mongo.Database = "test" // Spring's default
	}
	for _, n := range []string{"username", "password"} {
		s.assign("mongo."+n, at(n), at(n))
	}
	return true
}

// mongoTLS turns the ssl section, and the bundle of PEM files that it names, into
// parameters of the URI. A bundle switches TLS on.
func (s *springLoad) mongoTLS(at func(string) string) {
	enabled, set := s.text(at("ssl.enabled"))
	bundle, _ := s.text(at("ssl.bundle"))
	if strings.EqualFold(enabled, "false") || bundle == "" && !set {
		return
	}
	s.mongoParam("tls", "true")
	if bundle == "" {
		return
	}
	pem := "spring.ssl.bundle.pem." + strings.ReplaceAll(bundle, "-", "") + "."
	pem = strings.ToLower(pem)
	found := false
	for _, n := range []struct{ property, param string }{
		{"truststore.certificate", "tlsCAFile"}, {"keystore.certificate", "tlsCertificateFile"}, {"keystore.privatekey", "tlsPrivateKeyFile"},
	} {
		p, ok := s.find("", pem+n.property)
		if !ok {
			continue
		}
		found = true
		path := strings.TrimPrefix(strings.TrimSpace(p.Text), "file:")
		if strings.HasPrefix(path, "classpath:") || strings.Contains(path, "-----BEGIN") {
			s.bad.Add(p.File, p.Line, p.Name, "is not the path of a file; write the certificate to one")
			continue
		}
		s.mongoParam(n.param, path)
	}
	if !found {
		s.refuse("names a bundle that is not one of PEM files below spring.ssl.bundle.pem", at("ssl.bundle"))
	}
}

func (s *springLoad) mongoParam(name, v string) {
	uri := s.conf.Mongo.URI
	if uri == "" || strings.Contains(strings.ToLower(uri), strings.ToLower(name)+"=") {
		return
	}
	switch {
	case strings.HasSuffix(uri, "?"), strings.HasSuffix(uri, "&"):
	case strings.Contains(uri, "?"):
		uri += "&"
	case strings.Count(uri, "/") > 2:
		uri += "?"
	default:
		uri += "/?"
	}
	s.conf.Mongo.URI = uri + name + "=" + url.QueryEscape(v)
}
