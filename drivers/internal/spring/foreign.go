package spring

import (
	"regexp"
	"slices"
	"strings"
)

// A value is Maven's when it is nothing but a placeholder, or holds one whose
// name has a dot, which an address or a password hardly has between two @.
var (
	mavenWhole = regexp.MustCompile(`^@[A-Za-z][A-Za-z0-9_.-]*@$`)
	mavenPart  = regexp.MustCompile(`@[A-Za-z][A-Za-z0-9_-]*\.[A-Za-z0-9_.-]+@`)
)

// Foreign says why a text is not the value that Java sees, or is "".
func Foreign(text string) string {
	text = strings.TrimSpace(text)
	switch {
	case mavenWhole.MatchString(text) || mavenPart.MatchString(text):
		return "holds a placeholder that the Maven build fills in (@...@)"
	case strings.HasPrefix(text, "ENC(") && strings.HasSuffix(text, ")"):
		return "is encrypted for Java by Jasypt (ENC)"
	case strings.HasPrefix(text, "{cipher}"):
		return "is encrypted for Java by Spring Cloud ({cipher})"
	}
	return ""
}

type remoteSource struct{ prefix, what string }

// remote gives the properties by which Spring Cloud, from a bootstrap file, reads
// further sources that win over the files.
func remote() []remoteSource {
	return []remoteSource{
		{"spring.cloud.config.", "a Spring Cloud Config server"},
		{"spring.cloud.nacos.config.", "Nacos"},
		{"spring.cloud.consul.config.", "Consul"},
		{"spring.cloud.zookeeper.config.", "ZooKeeper"},
		{"spring.cloud.zookeeper.connectstring", "ZooKeeper"},
		{"spring.cloud.vault.", "Vault"},
		{"spring.cloud.kubernetes.config.", "config maps of Kubernetes"},
		{"spring.cloud.kubernetes.secrets.", "secrets of Kubernetes"},
		{"spring.cloud.polaris.config.", "Polaris"},
	}
}

// remoteSources reports the sources that bootstrap files and agents name.
func (r *reader) remoteSources() {
	if p, ok := r.lookup("spring.cloud.bootstrap.enabled"); ok && p.Text == "false" {
		return
	}
	reported := map[string]bool{}
	r.top.walk(func(c *contributor) bool {
		if !r.active(c, afterProfiles) {
			return true
		}
		for _, name := range sortedNames(c.props) {
			p := c.props[name]
			what := r.remoteSource(c, name, p.Text)
			if what != "" && !reported[what] {
				reported[what] = true
				r.bad.Add(p.File, p.Line, p.Name, "names a source that is not read here: %s; give its values in the environment, or skip it", what)
			}
		}
		return true
	})
}

// remoteSource tells which source the property names, "" if it names none.
func (r *reader) remoteSource(c *contributor, name, text string) (what string) {
	switch {
	case name == "apollo.bootstrap.enabled" && text == "true":
		return "Apollo"
	case name == "nacos.config.bootstrap.enable" && text == "true":
		return "Nacos"
	case !isBootstrap(c.file):
		return ""
	}
	for _, known := range remote() {
		off, has := r.lookup(known.prefix + "enabled")
		if strings.HasPrefix(name, known.prefix) && (!has || off.Text != "false") {
			what = known.what
		}
	}
	return what
}

func sortedNames(ps properties) []string {
	names := make([]string, 0, len(ps))
	for name := range ps {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
