package spring

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// location is what spring.config.import and its kin name: a file, a folder, or
// something that is not read here. Several with semicolons between them are at
// the same level.
type location struct {
	text  string
	by    Property // which names it, for mistakes
	names []string // of the files in a folder; empty means those of the load
}

// resource is one file to read, or a folder whose files are properties.
type resource struct {
	path     string
	ext      string // of its content
	tree     bool
	specific bool // to a profile
}

// extensions gives those of Spring Boot, the strongest last.
func extensions() []string { return []string{"yaml", "yml", "xml", "properties"} }

var (
	scheme = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.*-]+:`) // two letters at least: one is a drive
	hint   = regexp.MustCompile(`^(.*)\[\.(\w+)\]$`)
)

// resolve gives the resources of a location, the strongest last. Those that are
// specific to a profile are added once the profiles are known.
func (r *reader) resolve(loc location, parent string, specific bool) []resource {
	out := r.parts(loc, parent, "")
	if specific {
		for _, profile := range r.accepted {
			out = append(out, r.parts(loc, parent, profile)...)
		}
	}
	return out
}

func (r *reader) parts(loc location, parent, profile string) []resource {
	var out []resource
	for part := range strings.SplitSeq(loc.text, ";") {
		part, optional := strings.CutPrefix(strings.TrimSpace(part), "optional:")
		part = strings.TrimPrefix(part, "resource:")
		if part == "" || r.skips(part) {
			continue
		}
		path, kind, ok := r.path(part, parent)
		switch {
		case !ok && profile == "":
			r.bad.Add(loc.by.File, loc.by.Line, loc.by.Name, "names a source that is not read here: %s; give its values in the environment, or skip it", shownSource(part))
		case !ok:
		case kind == "configtree":
			if profile == "" {
				out = append(out, r.trees(loc, part, path, optional)...)
			}
		case strings.HasSuffix(part, "/"):
			out = append(out, r.folder(loc, part, path, optional, profile)...)
		default:
			out = append(out, r.file(loc, part, path, optional, profile)...)
		}
	}
	return out
}

// path turns a location into a path. Relative ones begin at the file that names
// them, those with file: at the working directory, those of the classpath at the
// root of the load.
func (r *reader) path(part, parent string) (path, kind string, ok bool) {
	kind = strings.TrimSuffix(scheme.FindString(part), ":")
	path = strings.TrimPrefix(part, scheme.FindString(part))
	switch kind {
	case "":
		if filepath.IsAbs(path) || parent == "" {
			break
		}
		path = filepath.Join(filepath.Dir(parent), path)
	case "file", "configtree":
		if strings.HasPrefix(path, "//") {
			path = "/" + strings.TrimLeft(path, "/")
		}
		path = strings.TrimPrefix(path, "file:")
	case "classpath", "classpath*":
		path = filepath.Join(r.root, strings.TrimLeft(path, "/"))
	default:
		return "", kind, false
	}
	return path, kind, r.files
}

func (r *reader) skips(part string) bool {
	return slices.ContainsFunc(r.skip, func(s string) bool {
		return part == s || strings.HasSuffix(s, ":") && strings.HasPrefix(part, s) || filepath.Base(part) == s
	})
}

// plainSource is a location in which no secret can stand.
var plainSource = regexp.MustCompile(`^[A-Za-z0-9_.:/*\[\]-]+$`)

// shownSource shows a location, or only its kind where a secret could stand in it.
func shownSource(part string) string {
	part, _, _ = strings.Cut(part, "?")
	if plainSource.MatchString(part) {
		return part
	}
	return scheme.FindString(part) + "..."
}

func (r *reader) folder(loc location, part, path string, optional bool, profile string) []resource {
	folders := []string{path}
	if strings.Contains(path, "*") {
		folders, _ = filepath.Glob(strings.TrimSuffix(path, "/"))
		slices.Sort(folders)
	} else if _, err := os.Stat(path); err != nil && !optional && profile == "" {
		r.bad.Add(loc.by.File, loc.by.Line, loc.by.Name, "names a folder that cannot be read: %s", shownSource(part))
	}
	names := loc.names
	if len(names) == 0 {
		names = r.names
	}
	var out []resource
	for _, name := range names {
		if profile != "" {
			name += "-" + profile
		}
		for _, ext := range extensions() {
			for _, folder := range folders {
				if p := filepath.Join(folder, name+"."+ext); isFile(p) && !r.skips(name+"."+ext) {
					out = append(out, resource{path: p, ext: ext, specific: profile != ""})
				}
			}
		}
	}
	return out
}

func (r *reader) file(loc location, part, path string, optional bool, profile string) []resource {
	ext := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
	hinted := hint.FindStringSubmatch(path)
	if hinted != nil {
		path, ext = hinted[1], hinted[2]
	}
	if !slices.Contains(extensions(), ext) {
		if profile == "" {
			r.bad.Add(loc.by.File, loc.by.Line, loc.by.Name, "names a file of an unknown kind: %s; a folder needs a / at its end", shownSource(part))
		}
		return nil
	}
	if profile != "" {
		if hinted != nil {
			path += "-" + profile
		} else {
			path = strings.TrimSuffix(path, filepath.Ext(path)) + "-" + profile + filepath.Ext(path)
		}
	}
	paths := []string{path}
	if strings.Contains(path, "*") {
		paths, _ = filepath.Glob(path)
		slices.Sort(paths)
	}
	var out []resource
	for _, p := range paths {
		if isFile(p) {
			out = append(out, resource{path: p, ext: ext, specific: profile != ""})
		}
	}
	if len(out) == 0 && !optional && profile == "" {
		r.bad.Add(loc.by.File, loc.by.Line, loc.by.Name, "names a file that is not there: %s", shownSource(part))
	}
	return out
}

func (r *reader) trees(loc location, part, path string, optional bool) []resource {
	folders := []string{path}
	if strings.HasSuffix(path, "/*/") {
		folders, _ = filepath.Glob(strings.TrimSuffix(path, "/"))
		slices.Sort(folders)
	}
	var out []resource
	for _, folder := range folders {
		if info, err := os.Stat(folder); err == nil && info.IsDir() {
			out = append(out, resource{path: folder, tree: true})
		} else if !optional {
			r.bad.Add(loc.by.File, loc.by.Line, loc.by.Name, "names a folder that cannot be read: %s", shownSource(part))
		}
	}
	return out
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
