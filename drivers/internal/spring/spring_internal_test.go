package spring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/drivers/internal/mistake"
)

func TestParseProperties(t *testing.T) {
	t.Parallel()
	var bad mistake.List
	text := "! comment\r\na=1\nb : 2\nc 3\nd\\=e=f\\:g\nlong=x\\\n    y\\\\\nu=\\u00e4\\t|\ne=\n\n  f = g = h  \nlist[1]=b\nlist[0]=a\nnames[]=x, y\nlast\\"
	docs := parseProperties("f", []byte(text), &bad)
	if bad.Any() || len(docs) != 1 {
		t.Fatalf("%v %d", bad.All, len(docs))
	}
	for name, want := range map[string]string{
		"a": "1", "b": "2", "c": "3", "d=e": "f:g", "long": `xy\`, "u": "ä\t|", "e": "", "f": "g = h", "list": "a,b", "names": "x,y", `last\`: "",
	} {
		p, ok := docs[0][name]
		if got := strings.Join(p.Texts(), ","); !ok || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if p := docs[0]["long"]; p.Line != 6 || p.File != "f" {
		t.Errorf("%+v", p)
	}
	parseProperties("f", []byte("ok=1\nx=\\u00g0\n"), &bad)
	if len(bad.All) != 1 || bad.All[0].Line != 2 {
		t.Errorf("%v", bad.All)
	}
	docs = parseProperties("f", []byte("name=M\xfcller\n"), &mistake.List{})
	if got := docs[0]["name"].Text; got != "Müller" {
		t.Errorf("ISO 8859-1: %q", got)
	}
}

func TestMatchProfiles(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]bool{"a": true, "b": false, "!b": true, "a & !b": true, "a | b": true, "(b | a) & c": true, "!(a | b)": false, "b, a": true} {
		if got, err := matchProfiles(Property{Text: expr}.Items(), []string{"a", "c"}); err != nil || got != want {
			t.Errorf("%s: %v %v", expr, got, err)
		}
	}
}

func TestEnviron_Property(t *testing.T) {
	t.Parallel()
	for variable, want := range map[string]bool{
		"SPRING_DATASOURCE_URL": true, "spring_datasource_url": true, "spring.datasource.url": true,
		"SPRING_DATA_SOURCE_URL": false, "SPRINGDATASOURCE_URL": false, "SPRING_DATASOURCEURL": false, "SPRING__DATASOURCE_URL": false,
	} {
		if _, ok := NewEnviron([]string{variable + "=x"}).property("spring.datasource.url"); ok != want {
			t.Errorf("%s: %v", variable, ok)
		}
	}
	for _, variable := range []string{"A_KEYCERT", "A_KEY_CERT", "a.key-cert"} {
		if _, ok := NewEnviron([]string{variable + "=x"}).property("a.keycert"); !ok {
			t.Error(variable)
		}
	}
}

// FuzzProperties checks that no .properties file makes the parser panic or an error
// hold a value.
func FuzzProperties(f *testing.F) {
	for _, s := range []string{"a=1\n#---\nb=2", "a\\\n", "x[0]=a\nx[999999]=b", "x[]=a,b", "a=\\u12", "\\", "a = SECRET\\u"} {
		f.Add(s)
	}
	const canary = "s3cr!t~canary"
	f.Fuzz(func(t *testing.T, text string) {
		var bad mistake.List
		parseProperties("f", []byte(strings.ReplaceAll(text, "SECRET", canary)), &bad)
		for _, m := range bad.All {
			if strings.Contains(m.Field+m.Problem, canary) {
				t.Errorf("an error holds a value: %+v", m)
			}
		}
	})
}

// FuzzProfiles checks that every expression is an error or has a value, and that not
// turns it around.
func FuzzProfiles(f *testing.F) {
	for _, s := range []string{"a", "!a & (b | c)", "((a", "a b", "!", strings.Repeat("!", 100) + "a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		if strings.Contains(expr, ",") {
			return
		}
		yes, err := matchProfiles([]string{expr}, []string{"a", "c"})
		if err != nil {
			return
		}
		no, err := matchProfiles([]string{"!(" + expr + ")"}, []string{"a", "c"})
		if err == nil && yes == no {
			t.Errorf("%q and its opposite are both %v", expr, yes)
		}
	})
}

// FuzzRead checks that no pair of files makes Read panic, run without end or show a
// secret, whatever they import and activate.
func FuzzRead(f *testing.F) {
	f.Add("spring.config.import: b.yml", "spring.config.import: application.yml", "prod")
	f.Add("spring.profiles: {active: a, group: {a: [b, a]}}", "a: ${b}\nb: ${a}", "a,b")
	f.Add("spring.config.import: 'optional:nacos:SECRET'\n---\nspring.config.activate.on-profile: '!a'", "x", "")
	const canary = "s3cr!t~canary"
	f.Fuzz(func(t *testing.T, one, two, profile string) {
		// Only what stands in the folder may be read.
		if strings.ContainsAny(profile, "/\\\x00") || strings.Contains(one+two, "..") || strings.Contains(one+two, ":/") || strings.Contains(one+two, "import: /") {
			return
		}
		dir := t.TempDir()
		for name, text := range map[string]string{"application.yml": one, "b.yml": two} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "SECRET", canary)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var bad mistake.List
		env := NewEnviron([]string{"SPRING_PROFILES_ACTIVE=" + profile})
		e := Read(Request{Path: filepath.Join(dir, "application.yml")}, env, &bad)
		for _, name := range e.Names() {
			_, _, _ = e.Lookup(name)
		}
		for _, m := range bad.All {
			if strings.Contains(m.Field+m.Problem, canary) {
				t.Errorf("an error holds a value: %+v", m)
			}
		}
	})
}
