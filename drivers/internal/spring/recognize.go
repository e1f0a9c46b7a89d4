package spring

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/holdfast-go/holdfast/drivers/internal/mistake"
	"github.com/holdfast-go/holdfast/drivers/internal/yamltree"
)

// The properties of the Java starter under any prefix. One part before etcd is
// required: without it cert would be a client certificate in the native format
// and an authority here.
var starterProperty = regexp.MustCompile(`^(.+)\.etcd\.(endpoint|endpoints|cert|keycert|keyfile)$`)

// Recognize says whether documents are those of a Spring file.
func Recognize(docs []*yaml.Node) bool {
	for _, doc := range docs {
		for i := 0; i+1 < len(doc.Content); i += 2 {
			if k := yamltree.Deref(doc.Content[i]); k.Kind == yaml.ScalarNode {
				if first, _, _ := strings.Cut(k.Value, "."); first == "spring" {
					return true
				}
			}
		}
		var ignored mistake.List
		for name := range flatten("", doc, &ignored) {
			if starterProperty.MatchString(name) {
				return true
			}
		}
	}
	return false
}

// StarterPrefixes finds what stands before the starter's properties, such as
// leopold.etcd. Where one prefix has an endpoint, those without do not count.
func (e *Environment) StarterPrefixes() []string {
	var all, withEndpoint []string
	for _, name := range e.Names() {
		m := starterProperty.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		prefix := m[1] + ".etcd"
		if !slices.Contains(all, prefix) {
			all = append(all, prefix)
		}
		if strings.HasPrefix(m[2], "endpoint") && !slices.Contains(withEndpoint, prefix) {
			withEndpoint = append(withEndpoint, prefix)
		}
	}
	if len(withEndpoint) > 0 {
		return withEndpoint
	}
	return all
}
