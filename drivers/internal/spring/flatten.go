package spring

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/holdfast-go/holdfast/drivers/internal/mistake"
	"github.com/holdfast-go/holdfast/drivers/internal/yamltree"
)

const (
	// mostNodes bounds how much of a document is looked at, aliases included: a
	// short file can name itself millions of times.
	mostNodes = 20_000
	// mostName keeps nested long names from adding up.
	mostName = 512
	// mostDepth stops a mapping that holds itself by an alias.
	mostDepth = 64
)

// flattener turns nested mappings and dotted keys into properties.
type flattener struct {
	file string
	out  properties
	bad  *mistake.List
	left int // nodes that may still be visited
}

func flatten(file string, doc *yaml.Node, bad *mistake.List) properties {
	f := &flattener{file: file, out: properties{}, bad: bad, left: mostNodes}
	f.mapping("", doc, 0)
	if f.left < 0 {
		bad.Add(file, doc.Line, "", "has more than %d entries, aliases included", mostNodes)
	}
	return f.out
}

func (f *flattener) mapping(prefix string, n *yaml.Node, depth int) {
	if depth > mostDepth {
		f.left = -1
	}
	// Merged mappings first, so that what stands next to them wins.
	for i := 0; i+1 < len(n.Content) && f.left >= 0; i += 2 {
		if n.Content[i].Tag == "!!merge" {
			f.merged(prefix, yamltree.Deref(n.Content[i+1]), depth)
		}
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if f.left--; f.left < 0 {
			return
		}
		k := yamltree.Deref(n.Content[i])
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			continue
		}
		if seen[k.Value] {
			f.bad.Add(f.file, k.Line, prefix+k.Value, "is given twice")
			continue
		}
		seen[k.Value] = true
		f.value(prefix+k.Value, k.Line, yamltree.Deref(n.Content[i+1]), depth)
	}
}

// merged adds a mapping that another one includes, or a list of them.
func (f *flattener) merged(prefix string, n *yaml.Node, depth int) {
	switch n.Kind {
	case yaml.MappingNode:
		f.mapping(prefix, n, depth+1)
	case yaml.SequenceNode: // the first one wins
		for _, item := range slices.Backward(n.Content) {
			if m := yamltree.Deref(item); m.Kind == yaml.MappingNode {
				f.mapping(prefix, m, depth+1)
			}
		}
	default: // nothing to merge
	}
}

func (f *flattener) value(name string, line int, n *yaml.Node, depth int) {
	if len(name) > mostName {
		return // nothing that is looked for
	}
	p := Property{Name: name, File: f.file, Line: line}
	switch n.Kind {
	case yaml.MappingNode:
		f.mapping(name+".", n, depth+1)
		return
	case yaml.SequenceNode:
		p.IsList = true
		for _, item := range n.Content {
			if f.left--; f.left < 0 {
				return
			}
			if item = yamltree.Deref(item); item.Kind == yaml.ScalarNode {
				text, unclear := scalar(item)
				p.List, p.Unclear = append(p.List, text), p.Unclear || unclear
			}
		}
	case yaml.ScalarNode:
		p.Text, p.Unclear = scalar(n)
	default: // a property without a value
	}
	f.out.add(p)
}

// SnakeYAML reads YAML 1.1. There these are numbers, which Spring turns back
// into text in another form: 0123 becomes 83, 1.10 becomes 1.1, 1:30 becomes 90.
var unclearNumber = regexp.MustCompile(`^[-+]?(` +
	`0[0-7_]+|0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9]*_[0-9_]*|[1-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?` +
	`|[0-9][0-9_]*\.[0-9_]*0|\.[0-9]+|[0-9][0-9_]*\.|([0-9][0-9_]*)?\.?[0-9_]+[eE][-+]?[0-9]+)$`)

// scalar gives the text that Spring sees.
func scalar(n *yaml.Node) (text string, unclear bool) {
	text = yamltree.Text(n)
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle | yaml.TaggedStyle
	if n.Style&quoted != 0 {
		return text, false
	}
	switch strings.ToLower(text) {
	case "yes", "on", "true":
		return "true", false
	case "no", "off", "false":
		return "false", false
	}
	return text, unclearNumber.MatchString(text) && !strings.HasSuffix(text, ".0")
}
