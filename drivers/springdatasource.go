package drivers

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/drivers/internal/spring"
)

// datasource is one that a Spring configuration holds.
type datasource struct {
	name   string   // to choose it by
	prefix string   // of its URL, canonical
	login  []string // prefixes of URL and login, the strongest first
	pool   []string // prefixes of the settings of its pool, the strongest first
	url    spring.Property
	inside bool // below spring.datasource
}

const (
	mainDatasource = "spring.datasource"
	dynamicPrefix  = "spring.datasource.dynamic.datasource."
)

// pools gives the sections that Spring Boot, and the starters of Druid and the like,
// have for a pool below a datasource. Spring Boot takes the first that it finds.
func pools() []string {
	return []string{"hikari", "tomcat", "dbcp2", "druid", "oracleucp", "configuration"}
}

func isPool(name string) bool { return slices.Contains(pools(), name) }

// datasources finds all, sorted by name.
func (s *springLoad) datasources() []datasource {
	found := map[string]datasource{}
	names := append(s.Names(), mainDatasource+".url", mainDatasource+".hikari.jdbcurl") // these may be in the environment alone
	for _, name := range names {
		prefix, leaf := cutLast(name)
		if leaf != "url" && leaf != "jdbcurl" {
			continue
		}
		p, ok, err := s.Lookup(name)
		if !ok || err == nil && strings.TrimSpace(p.Text) == "" || s.disabled(prefix) {
			continue
		}
		d := s.classify(prefix)
		d.url = p
		jdbc := err == nil && strings.HasPrefix(strings.ToLower(strings.TrimSpace(p.Text)), "jdbc:")
		raw, _ := s.Raw(name)
		if !d.inside && (!jdbc && !strings.Contains(raw.Text, "jdbc:") || strings.HasPrefix(prefix, "spring.") && !strings.Contains(prefix, ".datasource.")) {
			continue
		}
		if old, twice := found[d.prefix]; !twice || rank(old, d) > 0 {
			found[d.prefix] = d
		}
	}
	out := make([]datasource, 0, len(found))
	for _, d := range found {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b datasource) int { return strings.Compare(a.prefix, b.prefix) })
	return out
}

// rank tells which of two properties of one datasource an error shows.
func rank(a, b datasource) int { return strings.Compare(b.url.File, a.url.File) }

func cutLast(name string) (before, last string) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", name
	}
	return name[:i], name[i+1:]
}

// disabled knows the switch that many services give their second datasource.
func (s *springLoad) disabled(prefix string) bool {
	p, ok, err := s.Lookup(prefix + ".enabled")
	return ok && err == nil && p.Text == "false"
}

// classify says which datasource has its URL at a prefix.
func (s *springLoad) classify(prefix string) datasource {
	if before, last := cutLast(prefix); isPool(last) && before != "" {
		prefix = before // a pool's section stands for the datasource around it
	}
	d := datasource{prefix: prefix, inside: prefix == mainDatasource || strings.HasPrefix(prefix, mainDatasource+".")}
	parent, name := cutLast(prefix)
	d.name = name
	if prefix == mainDatasource {
		pool := s.mainPool()
		d.name, d.login = mainDatasource, []string{mainDatasource}
		if pool != "" {
			d.login, d.pool = []string{mainDatasource + "." + pool, mainDatasource}, []string{mainDatasource + "." + pool}
		}
		if _, ok, _ := s.Lookup(mainDatasource + ".jdbcurl"); ok { // bound by the service itself
			d.pool = append(d.pool, mainDatasource)
		}
		return d
	}
	for _, pool := range pools() {
		d.pool = append(d.pool, prefix+"."+pool)
	}
	d.login = append(slices.Clone(d.pool), prefix)
	d.pool = append(d.pool, prefix)
	switch {
	case strings.HasPrefix(prefix, dynamicPrefix):
		for _, pool := range pools() { // the defaults of all
			d.pool = append(d.pool, "spring.datasource.dynamic."+pool)
		}
	case parent != mainDatasource && d.inside: // spring.datasource.druid.master
		d.pool = append(d.pool, parent)
	}
	return d
}

// mainPool finds the pool of spring.datasource: the one that the type names, else
// the first that Spring Boot would take among those with settings.
func (s *springLoad) mainPool() string {
	if p, ok, err := s.Lookup(mainDatasource + ".type"); ok && err == nil {
		class := strings.ToLower(p.Text)
		for _, pool := range pools() {
			if strings.Contains(class, pool) {
				return pool
			}
		}
	}
	for _, pool := range pools() {
		if slices.ContainsFunc(s.Names(), func(n string) bool {
			rest, ok := strings.CutPrefix(n, mainDatasource+"."+pool+".")
			return ok && !strings.Contains(strings.TrimPrefix(rest, "datasourceproperties."), ".")
		}) {
			return pool
		}
	}
	return "hikari" // which the environment may set
}

// choose picks the datasource: by name, else the one that Spring prefers, else the
// only one.
func (s *springLoad) choose(all []datasource) (datasource, bool) {
	variable := ""
	wanted := s.opts.Datasource
	if wanted == "" {
		variable = "HOLDFAST_DATASOURCE"
		wanted = s.env.Vars[variable]
	}
	if wanted != "" {
		match := slices.DeleteFunc(slices.Clone(all), func(d datasource) bool {
			c := spring.Canonical(wanted)
			return c != d.prefix && c != d.name
		})
		if len(match) == 1 {
			return match[0], true
		}
		problem := "names no datasource"
		if len(match) > 1 {
			problem = "names several datasources"
		}
		if variable == "" {
			problem = "LoadOptions.Datasource " + problem
		}
		s.bad.Add("", 0, variable, "%s; the file has %s", problem, listed(all))
		return datasource{}, false
	}
	if s.env.Vars[s.fields["sql.dsn"].env()] != "" {
		i := slices.IndexFunc(all, func(d datasource) bool { return d.prefix == mainDatasource })
		if i < 0 {
			return datasource{}, false
		}
		return all[i], true
	}
	dynamic := slices.DeleteFunc(slices.Clone(all), func(d datasource) bool { return !strings.HasPrefix(d.prefix, dynamicPrefix) })
	if off, ok, _ := s.Lookup("spring.datasource.dynamic.enabled"); len(dynamic) > 0 && (!ok || off.Text != "false") {
		return s.primary(dynamic)
	}
	inside := slices.DeleteFunc(slices.Clone(all), func(d datasource) bool {
		return !d.inside || strings.HasPrefix(d.prefix, dynamicPrefix)
	})
	if len(inside) == 0 {
		inside = slices.DeleteFunc(slices.Clone(all), func(d datasource) bool { return d.inside })
	}
	switch len(inside) {
	case 0:
		return datasource{}, false
	case 1:
		return inside[0], true
	}
	s.several(all)
	return datasource{}, false
}

// primary follows dynamic-datasource: the one that primary names, master by
// default.
func (s *springLoad) primary(all []datasource) (datasource, bool) {
	name := "master"
	if p, ok := s.text("spring.datasource.dynamic.primary"); ok && p != "" {
		name = spring.Canonical(p)
	}
	match := slices.DeleteFunc(slices.Clone(all), func(d datasource) bool { return d.name != name })
	if len(match) == 1 {
		return match[0], true
	}
	s.several(all)
	return datasource{}, false
}

func (s *springLoad) several(all []datasource) {
	p := all[0].url
	s.bad.Add(p.File, p.Line, p.Name, "is one of several datasources: %s; choose one by LoadOptions.Datasource or HOLDFAST_DATASOURCE", listed(all))
}

func listed(all []datasource) string {
	parts := make([]string, len(all))
	for i, d := range all {
		at := ""
		if d.url.Line > 0 {
			at = fmt.Sprintf("line %d", d.url.Line)
		}
		if d.url.File != "" {
			at = strings.TrimSpace(d.url.File + " " + at)
		}
		if at != "" {
			at += ": "
		}
		parts[i] = fmt.Sprintf("%s (%s%s)", d.name, at, shownURL(d.url.Text))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

var plainURL = regexp.MustCompile(`^jdbc:[a-z0-9+-]+:[A-Za-z0-9_.,:/\[\]-]*$`)

// shownURL shows the database and the server of a JDBC URL, but nothing in which a
// secret could stand.
func shownURL(u string) string {
	u = strings.TrimSpace(u)
	if i := strings.IndexAny(u, "?;"); i >= 0 {
		u = u[:i]
	}
	if !plainURL.MatchString(u) || strings.HasPrefix(u, "jdbc:oracle:") && strings.Contains(u, "/") {
		kind := strings.SplitN(u, ":", 3)
		if len(kind) == 3 && plainURL.MatchString("jdbc:"+kind[1]+":") {
			return "jdbc:" + kind[1] + ":" + mask
		}
		return mask
	}
	return u
}
