package drivers

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// mostBytes bounds a configuration file. One that is larger is something else.
const mostBytes = 1 << 20

// Load reads a configuration from a YAML file, then lets the environment
// override it, and validates the result. The file is in the native format or is
// the application.yaml of a Spring Boot service; which of the two shows from
// its content. With an empty path the environment alone counts.
//
// An error names path and holds every mistake, as a [ConfigError] that
// matches [ErrInvalid]; a file that cannot be read matches fs.ErrNotExist and
// the like instead. No error holds a value of the file or the environment.
func Load(path string) (Config, error) {
	if path == "" {
		c, err := parse(nil, newEnviron(os.Environ()))
		if err != nil {
			return Config{}, fmt.Errorf("drivers: load from the environment: %w", err)
		}
		return c, nil
	}
	data, err := readFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("drivers: load: %w", err)
	}
	c, err := parse(data, newEnviron(os.Environ()))
	if err != nil {
		return Config{}, fmt.Errorf("drivers: load %s: %w", path, err)
	}
	return c, nil
}

// Parse is [Load] for a configuration that is in memory, such as an embedded
// file. It too lets the environment override.
func Parse(data []byte) (Config, error) {
	c, err := parse(data, newEnviron(os.Environ()))
	if err != nil {
		return Config{}, fmt.Errorf("drivers: parse: %w", err)
	}
	return c, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return data, nil
}

// loader carries one load from the file to the result.
type loader struct {
	env    environ
	conf   Config
	bad    problems
	lines  map[string]int    // of the native fields that the file sets
	rename map[string]string // native name -> what the user wrote
}

// parse runs in this order: file, environment, validation. Each step goes on
// after mistakes, so that all of them are reported.
func parse(data []byte, env environ) (Config, error) {
	l := &loader{env: env, lines: map[string]int{}, rename: map[string]string{}}
	if len(data) > mostBytes {
		l.bad.add("", 0, "is larger than %d bytes", mostBytes)
		return Config{}, l.bad.err()
	}
	docs := parseYAML(data, &l.bad)
	if err := l.bad.err(); err != nil {
		return Config{}, err // what stands in the file is not known
	}
	fields := allFields()
	if isSpring(docs) {
		l.spring(docs, fields)
	} else {
		l.native(docs, fields)
	}
	l.overrides(fields)
	if l.conf.Mongo.Database == "" {
		if t, err := l.conf.Mongo.resolve(); err == nil {
			l.conf.Mongo.Database = t.database
		}
	}
	l.validate()
	if err := l.bad.err(); err != nil {
		return Config{}, err
	}
	return l.conf, nil
}

// overrides sets the fields whose environment variable is not empty.
func (l *loader) overrides(fields []field) {
	for _, f := range fields {
		name := f.env()
		text := l.env.vars[name]
		if text == "" {
			continue
		}
		if err := f.set(&l.conf, value{text: text}); err != nil {
			l.bad.add(name, 0, "%v", err)
			continue
		}
		delete(l.lines, f.name)
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
	for _, p := range l.bad.list {
		reported[p.Field] = true
	}
	replace := renamer(l.rename)
	for _, p := range all.Problems {
		name, _, _ := strings.Cut(p.Field, "[")
		line := l.lines[name]
		p.Field, p.Problem = replace.Replace(p.Field), replace.Replace(p.Problem)
		// A value that could not be read is missing as well; once is enough.
		if !reported[replace.Replace(name)] {
			l.bad.add(p.Field, line, "%s", p.Problem)
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
