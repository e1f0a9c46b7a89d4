package spring

import (
	"slices"
	"strconv"
	"strings"
)

// Property is one entry of a source.
type Property struct {
	Name string // as the user wrote it
	File string // empty for the environment and for text in memory
	Line int

	Text   string
	List   []string // instead of Text, when IsList
	IsList bool

	// Unclear says that YAML in Java reads another text than what stands there,
	// as 83 for 0123.
	Unclear bool
}

// Texts gives the value or the items of the list.
func (p Property) Texts() []string {
	if p.IsList {
		return p.List
	}
	return []string{p.Text}
}

// Items gives a list, or the parts of a text with commas between them.
func (p Property) Items() []string {
	list := p.List
	if !p.IsList {
		list = strings.Split(p.Text, ",")
	}
	var out []string
	for _, item := range list {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// properties are those of one document, by canonical name.
type properties map[string]Property

// Canonical is how Spring compares names: lower case, without dashes and
// underscores, dots kept.
func Canonical(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
}

// add puts a property into the list that its name has an index of, or in its
// place.
func (ps properties) add(p Property) {
	name := Canonical(p.Name)
	if open := strings.LastIndexByte(name, '['); open > 0 && strings.HasSuffix(name, "]") && !p.IsList {
		if i, err := strconv.Atoi(name[open+1 : len(name)-1]); err == nil && i >= 0 && i <= mostItems {
			list, ok := ps[name[:open]]
			if !ok || !list.IsList {
				list = Property{Name: p.Name[:strings.LastIndexByte(p.Name, '[')], File: p.File, Line: p.Line, IsList: true}
			}
			list.List = slices.Clone(list.List)
			for len(list.List) <= i {
				list.List = append(list.List, "")
			}
			list.List[i] = p.Text
			ps[name[:open]] = list
			return
		}
	}
	ps[name] = p
}

// mostItems bounds a list that is written by its indexes.
const mostItems = 1000
