package spring

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/drivers/internal/mistake"
)

// parseProperties reads a .properties file with Spring Boot's extensions: a line
// #--- or !--- begins another document, and name[]=a,b is a list.
//
// The libraries for this format do not tell the line of a property, which an
// error must name.
func parseProperties(file string, data []byte, bad *mistake.List) []properties {
	docs := []properties{{}}
	r := &lineReader{lines: strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text(data)), "\n")}
	for {
		line, number, ok := r.next()
		if !ok {
			return docs
		}
		if line == "" {
			if r.separator() {
				docs = append(docs, properties{})
			}
			continue
		}
		name, value, err := splitProperty(line)
		if err != nil {
			bad.Add(file, number, name, "is not valid: \\u needs four hexadecimal digits after it")
			continue
		}
		if name == "" || len(name) > mostName {
			continue
		}
		p := Property{Name: name, Text: value, File: file, Line: number}
		if list, ok := strings.CutSuffix(name, "[]"); ok {
			p.Name, p.Text, p.IsList = list, "", true
			for item := range strings.SplitSeq(value, ",") {
				p.List = append(p.List, strings.TrimSpace(item))
			}
		}
		docs[len(docs)-1].add(p)
	}
}

// text takes bytes that are not UTF-8 for ISO 8859-1, the encoding of the format.
// Spring Boot takes all files for it; a file with UTF-8 in it holds it in
// comments, or its writer meant what it says.
func text(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	runes := make([]rune, len(data))
	for i, b := range data {
		runes[i] = rune(b)
	}
	return string(runes)
}

// lineReader joins the lines that a backslash continues.
type lineReader struct {
	lines []string
	at    int
}

// next gives a logical line without the blanks before it, the number of its first
// line, and "" for a comment or an empty one.
func (r *lineReader) next() (line string, number int, ok bool) {
	if r.at >= len(r.lines) {
		return "", 0, false
	}
	number = r.at + 1
	line = strings.TrimLeft(r.lines[r.at], " \t\f")
	r.at++
	if line == "" || line[0] == '#' || line[0] == '!' {
		return "", number, true
	}
	var b strings.Builder
	for {
		body := strings.TrimRight(line, `\`)
		if (len(line)-len(body))%2 == 0 || r.at >= len(r.lines) {
			b.WriteString(line)
			return b.String(), number, true
		}
		b.WriteString(line[:len(line)-1])
		line = strings.TrimLeft(r.lines[r.at], " \t\f")
		r.at++
	}
}

// separator says whether the comment just read begins a document. The lines next
// to it must not be comments of the same kind.
func (r *lineReader) separator() bool {
	here := strings.TrimRight(r.lines[r.at-1], " \t\f")
	if here != "#---" && here != "!---" {
		return false
	}
	comment := func(i int) bool {
		return i >= 0 && i < len(r.lines) && strings.HasPrefix(r.lines[i], here[:1])
	}
	return !comment(r.at-2) && !comment(r.at)
}

// splitProperty takes a line apart at the first =, : or blank that no backslash
// protects, and resolves the escapes.
func splitProperty(line string) (name, value string, err error) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte("=: \t\f", line[i]) >= 0 {
			end = i
			break
		}
	}
	rest := strings.TrimLeft(line[end:], " \t\f")
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], " \t\f")
	}
	if name, err = unescape(line[:end]); err != nil {
		return "", "", err
	}
	value, err = unescape(rest)
	return strings.TrimSpace(name), strings.TrimSpace(value), err
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'n':
			b.WriteByte('\n')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			if i+4 >= len(s) {
				return "", strconv.ErrSyntax
			}
			n, err := strconv.ParseUint(s[i+1:i+5], 16, 16)
			if err != nil {
				return "", strconv.ErrSyntax
			}
			b.WriteRune(rune(n))
			i += 4
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}
