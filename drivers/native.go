package drivers

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/holdfast-go/holdfast/drivers/internal/mistake"
	"github.com/holdfast-go/holdfast/drivers/internal/yamltree"
)

// native reads the native format: the sections etcd, sql and mongo with the
// fields of the table. Anything else is a mistake.
func (l *loader) native(docs []*yaml.Node, fields []field) {
	if len(docs) > 1 {
		l.bad.Add(l.path, docs[1].Line, "", "a second document; the native format has one")
	}
	if len(docs) == 0 {
		return
	}
	l.eachPair(docs[0], "", func(key string, k, v *yaml.Node) {
		if key != "etcd" && key != "sql" && key != "mongo" {
			l.bad.Add(l.path, k.Line, mistake.Shown(key), "unknown field; the sections are etcd, sql and mongo%s", springHint(key))
			return
		}
		v = yamltree.Deref(v)
		switch {
		case yamltree.IsNull(v):
		case v.Kind != yaml.MappingNode:
			l.bad.Add(l.path, k.Line, key, "is not a mapping of names to values")
		default:
			l.section(key, v, fields)
		}
	})
}

func (l *loader) section(section string, node *yaml.Node, fields []field) {
	l.eachPair(node, section+".", func(key string, k, v *yaml.Node) {
		name := section + "." + key
		for _, f := range fields {
			if f.name != name {
				continue
			}
			l.places[name] = place{l.path, k.Line}
			// The environment has the last word, so what it replaces need not
			// be right.
			if l.env.Vars[f.env()] != "" {
				return
			}
			val, problem := nativeValue(v)
			if problem == "" {
				if err := f.set(&l.conf, val); err != nil {
					problem = err.Error()
				}
			}
			if problem != "" {
				l.bad.Add(l.path, k.Line, name, "%s", problem)
			}
			return
		}
		field := ""
		if mistake.LooksLikeName(key) {
			field = name
		}
		l.bad.Add(l.path, k.Line, field, "unknown field; %s has %s", section, fieldNames(section, fields))
	})
}

// eachPair goes through a mapping and reports what is no plain name or stands
// there twice.
func (l *loader) eachPair(node *yaml.Node, prefix string, each func(key string, k, v *yaml.Node)) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		k, v := yamltree.Deref(node.Content[i]), node.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode:
			l.bad.Add(l.path, k.Line, "", "a name that is not text")
		case seen[k.Value]:
			name := mistake.Shown(k.Value)
			if name != "" {
				name = prefix + name
			}
			l.bad.Add(l.path, k.Line, name, "is given twice")
		default:
			seen[k.Value] = true
			each(k.Value, k, v)
		}
	}
}

func nativeValue(n *yaml.Node) (v value, problem string) {
	n = yamltree.Deref(n)
	switch n.Kind {
	case yaml.ScalarNode:
		v.text = yamltree.Text(n)
	case yaml.SequenceNode:
		v.isList = true
		for _, item := range n.Content {
			if item = yamltree.Deref(item); item.Kind != yaml.ScalarNode {
				return v, "is a list of something other than single values"
			}
			v.list = append(v.list, yamltree.Text(item))
		}
	default:
		return v, "is a mapping, but a value is expected"
	}
	return v, ""
}

func fieldNames(section string, fields []field) string {
	var names []string
	for _, f := range fields {
		if name, ok := strings.CutPrefix(f.name, section+"."); ok {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// springHint helps where a Spring file was not recognized as one.
func springHint(key string) string {
	if strings.Contains(key, ".") || key == "server" || key == "logging" || key == "management" {
		return " (a Spring file is known by spring, or by a prefix before etcd)"
	}
	return ""
}
