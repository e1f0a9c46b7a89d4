package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-go/holdfast/drivers/internal/jdbc"
	"github.com/holdfast-go/holdfast/drivers/internal/spring"
)

type poolSetting struct {
	field  string
	names  []string
	change func(string) (string, error)
}

// poolSettings maps the settings of HikariCP, Tomcat's pool, DBCP2, Druid and
// dynamic-datasource, by the last part of their canonical names, to native fields.
// Of two for one field the first that is set wins.
func poolSettings() []poolSetting {
	return []poolSetting{
		{"sql.maxOpenConns", []string{"maximumpoolsize", "maxpoolsize", "maxactive", "maxtotal"}, nil},
		{"sql.maxIdleConns", []string{"maxidle"}, nil},
		{"sql.connMaxLifetime", []string{"maxlifetime", "maxconnlifetimemillis", "maxconnduration", "maxage", "phytimeoutmillis"}, zeroIsForever},
		{"sql.connMaxIdleTime", []string{"idletimeout", "minevictableidletimemillis", "minevictableidletime"}, zeroIsForever},
		{"sql.dialTimeout", []string{"connectiontimeout", "maxwait", "maxwaitmillis"}, negativeIsDefault},
		{"sql.initSQL", []string{"connectioninitsql", "connectioninitsqls", "initsql"}, nil},
		{"sql.isolation", []string{"transactionisolation", "defaulttransactionisolation"}, isolationName},
		{"sql.readOnly", []string{"readonly", "defaultreadonly", "isreadonly"}, nil},
	}
}

const forever = 100 * 365 * 24 // hours

func zeroIsForever(text string) (string, error) {
	if strings.Trim(text, "0") == "" || strings.HasPrefix(text, "-") {
		return fmt.Sprintf("%dh", forever), nil
	}
	return text, nil
}

func negativeIsDefault(text string) (string, error) {
	if strings.HasPrefix(text, "-") || strings.Trim(text, "0") == "" {
		return "0", nil
	}
	return text, nil
}

// isolationName turns Java's spellings into one that SQLConfig knows.
func isolationName(text string) (string, error) {
	if n, err := strconv.Atoi(text); err == nil {
		name, ok := map[int]string{-1: "", 1: "read uncommitted", 2: "read committed", 4: "repeatable read", 8: "serializable"}[n]
		if !ok {
			return "", errIsolation
		}
		return name, nil
	}
	return text, nil
}

// sql reads the datasource that is chosen.
func (s *springLoad) sql() {
	s.refuse("names a datasource of an application server; give its URL as spring.datasource.url", "spring.datasource.jndiname")
	all := s.datasources()
	d, ok := s.choose(all)
	if !ok {
		if s.rename["sql.dsn"] == "" {
			s.rename["sql.dsn"] = "spring.datasource.url"
		}
		return // a user name alone, or an embedded database
	}
	under := func(prefixes []string, leaves ...string) []string {
		var out []string
		for _, p := range prefixes {
			for _, leaf := range leaves {
				out = append(out, p+"."+leaf)
			}
		}
		return out
	}
	urls := under(d.login, "jdbcurl", "url")
	if d.prefix == mainDatasource {
		urls = append(under(d.login[:len(d.login)-1], "jdbcurl", "url"), mainDatasource+".url", mainDatasource+".jdbcurl")
	}
	s.assign("sql.dsn", mainDatasource+".url", urls...)
	s.assign("sql.username", mainDatasource+".username", under(d.login, "username", "user")...)
	s.assign("sql.password", mainDatasource+".password", under(d.login, "password")...)
	for _, set := range poolSettings() {
		s.assignAs(set.field, set.field, set.change, under(d.pool, set.names...)...)
	}
	s.decrypts(d)
	s.dialectOnly(d, under)
	s.driverProperties(d)
	s.refuse("names a class or a name of Java; give the URL instead", under(d.pool, "datasourceclassname", "datasourcejndi",
		"xadatasourceclassname", "datasourcejndiname", "xadatasource", "passwordcallback", "passwordcallbackclassname", "usercallback")...)
	s.unused(d)
}

// dialectOnly reads what means something on one database only, as in Java: the
// schema on PostgreSQL, the catalog on MySQL.
func (s *springLoad) dialectOnly(d datasource, under func([]string, ...string) []string) {
	schema, catalog := under(d.pool, "schema", "defaultschema"), under(d.pool, "catalog", "defaultcatalog")
	dialect, ok := dialectName(s.conf.SQL.Dialect)
	if t, bad := s.conf.SQL.resolve(); bad == nil {
		dialect = t.Dialect
	}
	if ok && dialect == Postgres {
		s.assign("sql.schema", "sql.schema", schema...)
		return
	}
	if name, has := s.text(catalog...); has && name != "" && dialect == MySQL && jdbc.Is(s.conf.SQL.DSN) {
		s.conf.SQL.DSN = jdbc.WithDatabase(s.conf.SQL.DSN, name)
	}
}

// driverProperties adds what the pool hands to the driver to the JDBC URL.
func (s *springLoad) driverProperties(d datasource) {
	for _, prefix := range slices.Backward(d.pool) {
		for _, section := range []string{"datasourceproperties", "connectionproperties", "connectproperties"} {
			s.driverPropertiesBelow(prefix + "." + section)
			s.driverPropertiesIn(prefix + "." + section)
		}
	}
}

// driverPropertiesBelow adds those that are properties of their own.
func (s *springLoad) driverPropertiesBelow(section string) {
	for _, name := range s.Names() {
		if !strings.HasPrefix(name, section+".") {
			continue
		}
		if p, ok := s.find("sql.dsn", name); ok {
			s.driverProperty(p, lastParts(p.Name, strings.Count(section, ".")+1), p.Text)
		}
	}
}

// driverPropertiesIn adds those of a text such as "a=1;b=2".
func (s *springLoad) driverPropertiesIn(section string) {
	p, ok := s.find("sql.dsn", section)
	if !ok {
		return
	}
	for pair := range strings.SplitSeq(strings.Join(p.Texts(), ";"), ";") {
		if name, v, has := strings.Cut(pair, "="); has {
			s.driverProperty(p, strings.TrimSpace(name), strings.TrimSpace(v))
		}
	}
}

// lastParts gives what stands after n parts of a name.
func lastParts(name string, n int) string {
	parts := strings.Split(name, ".")
	return strings.Join(parts[min(n, len(parts)):], ".")
}

var ofDruid = regexp.MustCompile(`^(druid|config)\.`)

func (s *springLoad) driverProperty(p spring.Property, name, v string) {
	if name == "" || ofDruid.MatchString(name) || !jdbc.Is(s.conf.SQL.DSN) {
		return
	}
	if old, ok := jdbc.Arg(s.conf.SQL.DSN, name); ok {
		if old != v {
			s.bad.Add(p.File, p.Line, p.Name, "gives a parameter of the driver another value than the URL does")
		}
		return
	}
	s.conf.SQL.DSN = jdbc.With(s.conf.SQL.DSN, name, v)
}

// decrypts reports a password that Druid would decrypt.
func (s *springLoad) decrypts(d datasource) {
	for _, prefix := range d.pool {
		for _, name := range []string{".connectionproperties", ".connectproperties.config.decrypt"} {
			p, ok := s.find("sql.password", prefix+name)
			if !ok || s.env.Vars[s.fields["sql.password"].env()] != "" {
				continue
			}
			if text := strings.Join(p.Texts(), ";"); strings.Contains(text, "config.decrypt=true") || strings.HasSuffix(name, "decrypt") && text == "true" {
				s.bad.Add(p.File, p.Line, p.Name, "makes Druid decrypt the password; give the plain value in the environment variable %s", s.fields["sql.password"].env())
			}
		}
	}
}

// unused notes the settings of the pool that nothing reads.
func (s *springLoad) unused(d datasource) {
	known := map[string]bool{"url": true, "jdbcurl": true, "username": true, "user": true, "password": true}
	for _, set := range poolSettings() {
		for _, n := range set.names {
			known[n] = true
		}
	}
	for _, name := range s.Names() {
		for _, prefix := range d.pool {
			if leaf, ok := strings.CutPrefix(name, prefix+"."); ok && !known[leaf] {
				if p, ok := s.Raw(name); ok {
					s.ignored = append(s.ignored, p.Name)
				}
				break
			}
		}
	}
	if jdbc.Is(s.conf.SQL.DSN) {
		if t, err := jdbc.Parse(s.conf.SQL.DSN); err == nil {
			s.ignored = append(s.ignored, t.Ignored...)
		}
	}
}

var errIsolation = errors.New("is not an isolation level, such as read committed")
