package drivers

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// property is one entry of a Spring file after flattening.
type property struct {
	name string // as written, for errors
	value
}

// properties are those of one or more documents, by canonical name.
type properties map[string]property

// canonical is how Spring compares names: lower case, without dashes and
// underscores, dots kept.
func canonical(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
}

// The properties of the Java starter under any prefix. One part before etcd is
// required: without it cert would be a client certificate in the native format
// and an authority here.
var starterProperty = regexp.MustCompile(`^(.+)\.etcd\.(endpoint|endpoints|cert|keycert|keyfile)$`)

// isSpring tells the formats apart.
func isSpring(docs []*yaml.Node) bool {
	for _, doc := range docs {
		for i := 0; i+1 < len(doc.Content); i += 2 {
			if k := deref(doc.Content[i]); k.Kind == yaml.ScalarNode {
				if first, _, _ := strings.Cut(k.Value, "."); first == "spring" {
					return true
				}
			}
		}
		var ignored problems
		for name := range flatten(doc, &ignored) {
			if starterProperty.MatchString(name) {
				return true
			}
		}
	}
	return false
}

// flattener turns nested mappings and dotted keys into properties.
type flattener struct {
	out  properties
	bad  *problems
	left int // nodes that may still be visited
}

func flatten(doc *yaml.Node, bad *problems) properties {
	f := &flattener{out: properties{}, bad: bad, left: mostNodes}
	f.mapping("", doc, 0)
	if f.left < 0 {
		bad.add("", doc.Line, "has more than %d entries, aliases included", mostNodes)
	}
	return f.out
}

// mostName keeps nested long names from adding up.
const mostName = 512

// mostDepth stops a mapping that holds itself by an alias.
const mostDepth = 64

func (f *flattener) mapping(prefix string, n *yaml.Node, depth int) {
	if depth > mostDepth {
		f.left = -1
	}
	// Merged mappings first, so that what stands beside them wins.
	for i := 0; i+1 < len(n.Content) && f.left >= 0; i += 2 {
		if n.Content[i].Tag != "!!merge" {
			continue
		}
		merged := deref(n.Content[i+1])
		switch merged.Kind {
		case yaml.MappingNode:
			f.mapping(prefix, merged, depth+1)
		case yaml.SequenceNode: // the first one wins
			for _, item := range slices.Backward(merged.Content) {
				if m := deref(item); m.Kind == yaml.MappingNode {
					f.mapping(prefix, m, depth+1)
				}
			}
		default: // nothing to merge
		}
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if f.left--; f.left < 0 {
			return
		}
		k := deref(n.Content[i])
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			continue
		}
		if seen[k.Value] {
			f.bad.add(shown(prefix+k.Value), k.Line, "is given twice")
			continue
		}
		seen[k.Value] = true
		f.value(prefix+k.Value, k.Line, deref(n.Content[i+1]), depth)
	}
}

func (f *flattener) value(name string, line int, n *yaml.Node, depth int) {
	if len(name) > mostName {
		return // nothing that is looked for
	}
	p := property{name: name, value: value{line: line, spring: true}}
	switch n.Kind {
	case yaml.MappingNode:
		f.mapping(name+".", n, depth+1)
		return
	case yaml.SequenceNode:
		p.isList = true
		for _, item := range n.Content {
			if f.left--; f.left < 0 {
				return
			}
			if item = deref(item); item.Kind == yaml.ScalarNode {
				p.list = append(p.list, scalarText(item))
			}
		}
	case yaml.ScalarNode:
		p.text = scalarText(n)
	default: // a property without a value
	}
	f.out[canonical(name)] = p
}

// profileOf names the profiles that a document is for, in the current
// and in the older form.
func profileOf(doc properties) (p property, ok bool) {
	if p, ok = doc["spring.config.activate.onprofile"]; ok {
		return p, true
	}
	p, ok = doc["spring.profiles"]
	return p, ok
}
