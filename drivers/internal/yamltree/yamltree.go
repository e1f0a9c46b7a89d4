package yamltree

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/holdfast-go/holdfast/drivers/internal/mistake"
)

// windowsPath finds a line whose value is a Windows path in double quotes with
// single backslashes. YAML takes these for escapes: some are errors, others
// silently become control characters. No other meaning makes sense after a
// drive letter, so such a path is read as it stands.
var windowsPath = regexp.MustCompile(`(?m)^([ \t]*(?:-[ \t]+)?(?:[^\s"'#:][^"'#:\n]*:[ \t]+)?")([A-Za-z]:\\[^\\"\n][^"\n]*)("[ \t]*(?:[ \t]#.*)?\r?)$`)

func keepBackslashes(data []byte) []byte {
	return windowsPath.ReplaceAllFunc(data, func(line []byte) []byte {
		parts := windowsPath.FindSubmatch(line)
		path := parts[2]
		if bytes.Contains(path, []byte(`\\`)) {
			return line // mixed: nobody can tell what is meant
		}
		path = bytes.ReplaceAll(path, []byte(`\`), []byte(`\\`))
		return bytes.Join([][]byte{parts[1], path, parts[3]}, nil)
	})
}

// mavenValue finds a line whose value begins with a placeholder of Maven's
// resource filtering, such as @project.artifactId@. YAML has no value that
// begins with @, so nothing else can be meant.
var mavenValue = regexp.MustCompile(`(?m)^([ \t]*(?:-[ \t]+)?(?:[A-Za-z0-9_.-]+:[ \t]+)?)(@[A-Za-z][A-Za-z0-9_.-]*@[A-Za-z0-9_.@/:-]*)([ \t]*(?:[ \t]#.*)?\r?)$`)

// Parse gives the root mapping of each document that is not empty. With a mistake
// it gives none.
func Parse(file string, data []byte, bad *mistake.List) []*yaml.Node {
	data = mavenValue.ReplaceAll(keepBackslashes(data), []byte("${1}'${2}'${3}"))
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		bad.Add(file, 0, "", "is not valid YAML")
		return nil
	}
	var docs []*yaml.Node
	for {
		var doc yaml.Node
		err := loader.Load(&doc)
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			syntaxError(file, err, bad)
			return nil
		}
		if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
			continue
		}
		root := doc.Content[0]
		switch {
		case root.Kind == yaml.MappingNode:
			docs = append(docs, root)
		case IsNull(root):
		default:
			bad.Add(file, root.Line, "", "is not a mapping of names to values")
			return nil
		}
	}
}

const badEscape = "a backslash in double quotes begins an escape; put a Windows path in single quotes, or double each backslash"

// syntaxError says what is wrong without the text of the parser, which quotes
// the file.
func syntaxError(file string, err error, bad *mistake.List) {
	line, text := 0, err.Error()
	if at, ok := errors.AsType[*yaml.LoadError](err); ok {
		line = at.Mark.Line
	}
	problem := "is not valid YAML"
	for _, known := range []struct{ sign, problem string }{
		{"unknown escape", badEscape},
		{"hexadecimal number", badEscape},
		{"character escape code", badEscape},
		{"unknown anchor", "an alias names an anchor that does not exist"},
		{"mapping values are not allowed", "a colon where none is allowed: is the line indented wrongly, or does a value need quotes?"},
		{"cannot start any token", "a value begins with a character that needs quotes around the value, or a line is indented by a tab"},
		{"unexpected end of stream", "a quote or bracket is not closed"},
		{"did not find expected", "a quote or bracket is not closed, or a line is indented wrongly"},
		{"could not find expected", "a colon is missing, or a line is indented wrongly"},
	} {
		if strings.Contains(text, known.sign) {
			problem = known.problem
			break
		}
	}
	bad.Add(file, line, "", "%s", problem)
}

// IsNull says whether n is a value that is not there.
func IsNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

// Deref follows aliases.
func Deref(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// Text gives the text of a scalar as it stands in the file, so that a
// password of digits with a leading zero stays what it is.
func Text(n *yaml.Node) string {
	if IsNull(n) {
		return ""
	}
	return n.Value
}
