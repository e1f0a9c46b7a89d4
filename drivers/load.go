package drivers

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/holdfast-go/holdfast/drivers/internal/mistake"
	"github.com/holdfast-go/holdfast/drivers/internal/spring"
	"github.com/holdfast-go/holdfast/drivers/internal/yamltree"
)

// LoadOptions changes how [Load] and [Parse] read a configuration. Nil means the
// defaults.
type LoadOptions struct {
	// Datasource is the name of the datasource to take from a Spring file that has
	// several: the last part of its prefix, such as "master", or the whole prefix,
	// such as "app.datasource.orders". Empty means HOLDFAST_DATASOURCE, else the
	// only one, or the one that Spring itself prefers.
	Datasource string
	// Profiles are the active profiles of Spring, in place of those that the
	// environment and the file name.
	Profiles []string
	// Skip names sources that a Spring file points to and that need not be read,
	// such as "nacos:", "configserver:" or "bootstrap.yml": those that hold nothing
	// about the connections. Without it they are mistakes. HOLDFAST_SKIP adds to it,
	// with commas between them.
	Skip []string
	// Logger gets, at Debug, the settings of the connections that have no
	// counterpart and change nothing. Nil means silence.
	Logger *slog.Logger
}

// Load reads a configuration from a file, then lets the environment override it,
// and validates the result. The file is YAML in the native format, or is the
// application.yaml or application.properties of a Spring Boot service; which of
// the two shows from its content. With an empty path the environment alone counts.
//
// Of a Spring Boot service Load reads, in Spring Boot's order, what Spring Boot
// would read from that folder: the file's siblings with the other endings, those
// of the active profiles, those in config/, and what they import. A source that
// cannot be read here is a mistake, since its values could be the ones that count;
// see [LoadOptions.Skip].
//
// An error names path and holds every mistake, as a [ConfigError] that matches
// [ErrInvalid]; a path that cannot be read matches fs.ErrNotExist and the like
// instead. No error holds a secret.
func Load(path string, opts ...*LoadOptions) (Config, error) {
	env := spring.NewEnviron(os.Environ())
	if path == "" {
		c, err := parse(nil, env, opts...)
		if err != nil {
			return Config{}, fmt.Errorf("drivers: load from the environment: %w", err)
		}
		return c, nil
	}
	data, err := spring.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("drivers: load: %w", err)
	}
	c, err := newLoader(path, env, opts).load(data)
	if err != nil {
		return Config{}, fmt.Errorf("drivers: load %s: %w", path, err)
	}
	return c, nil
}

// Parse is [Load] for a YAML configuration that is in memory, such as an embedded
// file. It too lets the environment override. It reads no file: what a Spring file
// imports is a mistake, and files of profiles are not looked for.
func Parse(data []byte, opts ...*LoadOptions) (Config, error) {
	c, err := parse(data, spring.NewEnviron(os.Environ()), opts...)
	if err != nil {
		return Config{}, fmt.Errorf("drivers: parse: %w", err)
	}
	return c, nil
}

func parse(data []byte, env spring.Environ, opts ...*LoadOptions) (Config, error) {
	return newLoader("", env, opts).load(data)
}

// place is where a field was set.
type place struct {
	file string
	line int
}

// loader carries one load from the file to the result.
type loader struct {
	path   string
	opts   LoadOptions
	env    spring.Environ
	conf   Config
	bad    mistake.List
	places map[string]place  // of the native fields that the file sets
	rename map[string]string // native name -> what the user wrote
}

func newLoader(path string, env spring.Environ, opts []*LoadOptions) *loader {
	l := &loader{path: path, env: env, places: map[string]place{}, rename: map[string]string{}}
	for _, o := range opts {
		if o != nil {
			l.opts = *o
		}
	}
	return l
}

// load runs in this order: file, environment, validation. Each step goes on
// after mistakes, so that all of them are reported.
func (l *loader) load(data []byte) (Config, error) {
	fields := allFields()
	switch docs, ok := l.documents(data); {
	case !ok:
		return Config{}, l.err() // what stands in the file is not known
	case l.isSpring(docs):
		if !l.spring(data, fields) {
			return Config{}, l.err()
		}
	default:
		l.native(docs, fields)
	}
	l.overrides(fields)
	if l.conf.Mongo.Database == "" {
		if t, err := l.conf.Mongo.resolve(); err == nil {
			l.conf.Mongo.Database = t.database
		}
	}
	l.validate()
	if err := l.err(); err != nil {
		return Config{}, err
	}
	return l.conf, nil
}

// documents parses the file, unless it is one that only Spring has.
func (l *loader) documents(data []byte) (docs []*yaml.Node, ok bool) {
	switch {
	case len(data) > spring.MostBytes:
		l.bad.Add(l.path, 0, "", "is larger than %d bytes", spring.MostBytes)
	case filepath.Ext(l.path) == ".properties":
	default:
		docs = yamltree.Parse(l.path, data, &l.bad)
	}
	return docs, !l.bad.Any()
}

// isSpring tells the formats apart. A file called application that has other
// sections than the native ones is Spring's, whatever it holds: the connections may
// stand in the file of a profile.
func (l *loader) isSpring(docs []*yaml.Node) bool {
	if filepath.Ext(l.path) == ".properties" || spring.Recognize(docs) {
		return true
	}
	if !strings.HasPrefix(filepath.Base(l.path), "application") {
		return false
	}
	for _, doc := range docs {
		for i := 0; i+1 < len(doc.Content); i += 2 {
			if name := yamltree.Deref(doc.Content[i]).Value; name != "etcd" && name != "sql" && name != "mongo" {
				return true
			}
		}
	}
	return len(docs) == 0
}

// err gives the mistakes as the type that users know.
func (l *loader) err() error {
	if !l.bad.Any() {
		return nil
	}
	all := &ConfigError{}
	for _, m := range l.bad.All {
		all.Problems = append(all.Problems, &FieldError{Field: m.Field, File: m.File, Line: m.Line, Problem: m.Problem})
	}
	return all
}

// overrides sets the fields whose environment variable is not empty.
func (l *loader) overrides(fields []field) {
	for _, f := range fields {
		name := f.env()
		text := l.env.Vars[name]
		if text == "" {
			continue
		}
		if err := f.set(&l.conf, value{text: text}); err != nil {
			l.bad.Add("", 0, name, "%v", err)
			continue
		}
		delete(l.places, f.name)
		l.rename[f.name] = name
	}
}

// validate adds the mistakes that Config.Validate finds, under the names and
// lines that the user knows.
func (l *loader) validate() {
	var all *ConfigError
	if !errors.As(l.conf.Validate(), &all) {
		return
	}
	reported := map[string]bool{}
	for _, p := range l.bad.All {
		reported[p.Field] = true
	}
	replace := renamer(l.rename)
	for _, p := range all.Problems {
		name, _, _ := strings.Cut(p.Field, "[")
		at := l.places[name]
		p.Field, p.Problem = replace.Replace(p.Field), replace.Replace(p.Problem)
		// A value that could not be read is missing as well; once is enough.
		if !reported[replace.Replace(name)] {
			l.bad.Add(at.file, at.line, p.Field, "%s", p.Problem)
		}
	}
}

// renamer puts longer names first, because one may begin with another.
func renamer(names map[string]string) *strings.Replacer {
	var pairs []string
	for _, f := range allFields() {
		if to, ok := names[f.name]; ok {
			pairs = append(pairs, f.name, to)
		}
	}
	return strings.NewReplacer(pairs...)
}
