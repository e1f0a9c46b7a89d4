package spring

import (
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/drivers/internal/mistake"
	"github.com/holdfast-go/holdfast/drivers/internal/yamltree"
)

// Environ is the environment as it was when the load began.
type Environ struct {
	Vars map[string]string // those that are not empty
	// squashed finds the variables whose name, without its underscores and in
	// lower case, is the key.
	squashed map[string][]string
	json     properties // of SPRING_APPLICATION_JSON
}

// NewEnviron reads a list as os.Environ gives it.
func NewEnviron(list []string) Environ {
	e := Environ{Vars: map[string]string{}, squashed: map[string][]string{}}
	list = slices.Sorted(slices.Values(list)) // so that of two names that mean one property always the same wins
	for _, pair := range list {
		name, v, ok := strings.Cut(pair, "=")
		if ok && name != "" && v != "" {
			e.Vars[name] = v
			e.squashed[squash(name)] = append(e.squashed[squash(name)], name)
		}
	}
	return e
}

const applicationJSON = "SPRING_APPLICATION_JSON"

// withJSON reads the properties that SPRING_APPLICATION_JSON holds, which win
// over the variables.
func (e Environ) withJSON(bad *mistake.List) Environ {
	data := e.Vars[applicationJSON]
	if data == "" {
		return e
	}
	var own mistake.List
	docs := yamltree.Parse("", []byte(data), &own) // JSON is YAML
	for _, doc := range docs {
		e.json = flatten("", doc, &own)
	}
	if own.Any() || len(docs) != 1 {
		bad.Add("", 0, applicationJSON, "is not a JSON object")
	}
	return e
}

// squash reduces names to what Spring compares: key-cert, keyCert and KEY_CERT
// become the same.
func squash(name string) string {
	return strings.ToLower(strings.NewReplacer(".", "", "-", "", "_", "").Replace(name))
}

// property finds the variable of a property: dots become underscores, dashes
// vanish or become underscores too. A variable without an underscore where the
// property has a dot is another one.
func (e Environ) property(canonical string) (Property, bool) {
	if p, ok := e.json[canonical]; ok {
		p.File = applicationJSON
		return p, true
	}
	for _, name := range slices.Backward(e.squashed[squash(canonical)]) {
		if alignedTo(name, canonical) {
			return Property{Name: name, Text: e.Vars[name]}, true
		}
	}
	return Property{}, false
}

// alignedTo says whether variable has an underscore at each dot of the property,
// and elsewhere at most in its last part, where words are joined by dashes.
func alignedTo(variable, canonical string) bool {
	last := strings.LastIndexByte(canonical, '.')
	at := 0 // in variable
	for i := range len(canonical) {
		if canonical[i] == '.' {
			if at >= len(variable) || variable[at] != '_' && variable[at] != '.' {
				return false
			}
			at++
			continue
		}
		for i > last+1 && at < len(variable) && (variable[at] == '_' || variable[at] == '-') {
			at++
		}
		if at >= len(variable) || variable[at] == '_' || variable[at] == '.' {
			return false
		}
		at++
	}
	return true
}

// onCloud says whether Spring Boot's CloudPlatform of that name is detected.
func (e Environ) onCloud(name string) bool {
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return e.Vars[n] == "" })
	}
	switch Canonical(name) {
	case "none":
		return !slices.ContainsFunc([]string{"cloudfoundry", "heroku", "sap", "nomad", "kubernetes", "azureappservice"}, e.onCloud)
	case "cloudfoundry":
		return has("VCAP_APPLICATION") || has("VCAP_SERVICES")
	case "heroku":
		return has("DYNO")
	case "sap":
		return has("HC_LANDSCAPE")
	case "nomad":
		return has("NOMAD_ALLOC_ID")
	case "azureappservice":
		return has("WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID", "WEBSITE_RESOURCE_GROUP", "WEBSITE_SKU")
	case "kubernetes":
		if has("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT") {
			return true
		}
		for n := range e.Vars {
			if prefix, ok := strings.CutSuffix(n, "_SERVICE_HOST"); ok && has(prefix+"_SERVICE_PORT") {
				return true
			}
		}
	}
	return false
}
