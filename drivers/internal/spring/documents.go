package spring

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-go/holdfast/drivers/internal/yamltree"
)

// MostBytes bounds a configuration file. One that is larger is something else.
const MostBytes = 1 << 20

// ReadFile reads a file of which one byte more than [MostBytes] may be given.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, MostBytes+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return data, nil
}

// documents reads a resource.
func (r *reader) documents(res resource) []properties {
	if res.tree {
		return []properties{r.tree(res.path)}
	}
	data, err := ReadFile(res.path)
	if err != nil {
		r.bad.Add(res.path, 0, "", "cannot be read: %v", reason(err))
		return nil
	}
	return r.parse(res.path, res.ext, data)
}

func (r *reader) parse(file, ext string, data []byte) []properties {
	if len(data) > MostBytes {
		r.bad.Add(file, 0, "", "is larger than %d bytes", MostBytes)
		return nil
	}
	switch ext {
	case "properties":
		return parseProperties(file, data, r.bad)
	case "xml":
		r.bad.Add(file, 0, "", "is not read here, but Spring Boot reads it: move its properties to a YAML or .properties file")
		return nil
	}
	var out []properties
	for _, doc := range yamltree.Parse(file, data, r.bad) {
		out = append(out, flatten(file, doc, r.bad))
	}
	return out
}

// tree reads a folder whose files are named after properties, as Kubernetes mounts
// a secret. Names that begin with a dot are its own.
func (r *reader) tree(root string) properties {
	out := properties{}
	var walk func(folder, prefix string, depth int)
	walk = func(folder, prefix string, depth int) {
		entries, err := os.ReadDir(folder)
		if err != nil || depth > mostDepth {
			r.bad.Add(folder, 0, "", "cannot be read: %v", reason(err))
			return
		}
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			info, err := os.Stat(path) // through links
			if strings.HasPrefix(e.Name(), ".") || err != nil || len(out) > mostNodes {
				continue
			}
			if info.IsDir() {
				walk(path, prefix+e.Name()+".", depth+1)
				continue
			}
			data, err := ReadFile(path)
			if err != nil || len(data) > MostBytes {
				r.bad.Add(path, 0, "", "cannot be read: %v", reason(err))
				continue
			}
			out.add(Property{Name: prefix + e.Name(), File: path, Text: strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")})
		}
	}
	walk(root, "", 0)
	return out
}

// reason leaves the path out, which stands before it.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	if err == nil {
		return errors.New("too much of it")
	}
	return err
}
