package markdown_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-go/holdfast/internal/cmd/internal/markdown"
)

const (
	section markdown.Section = "try"

	begin = "<!-- measured: begin. Written by `make try`; do not edit. -->"
	end   = "<!-- measured: end -->"
)

func TestDocumentKeepsWhatIsOutsideTheMarks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ is, head, tail string }{
		"there": {"# By hand\n\nalso\n\n" + begin + "\nold\n" + end + "\n\nthe end\n", "# By hand\n\nalso\n\n", "\n\nthe end\n"},
		"new":   {"", "# Title\n\n", "\n"},
	} {
		file := filepath.Join(t.TempDir(), "figures.md")
		if c.is != "" {
			write(t, file, c.is)
		}
		for _, text := range []string{"first\n", "second\n"} { // what was written can be written over
			d, err := section.Open(file, "Title")
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Write(text); err != nil {
				t.Fatal(err)
			}
			if got, want := read(t, file), c.head+begin+"\n\n"+text+end+c.tail; got != want {
				t.Errorf("%s: the document is\n%s\nwant\n%s", name, got, want)
			}
		}
	}
}

func TestDocumentWithoutAPlaceIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no marks": "# By hand\n", "no end": begin + "\n", "no begin": end + "\n",
		"another's": "<!-- measured: begin. Written by `make other`; do not edit. -->\n" + end + "\n",
	} {
		file := filepath.Join(t.TempDir(), "figures.md")
		write(t, file, text)
		if _, err := section.Open(file, "Title"); err == nil {
			t.Errorf("a document with %s was taken", name)
		}
	}
	if _, err := section.Open(filepath.Join(t.TempDir(), "nowhere", "figures.md"), "Title"); err == nil {
		t.Error("a document in a folder that is not there was taken")
	}
}

func TestPictureIsBesideTheDocument(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, err := section.Open(filepath.Join(dir, "figures.md"), "Title")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.WritePicture("plot.svg", []byte("<svg/>")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, "plot.svg")); got != "<svg/>" {
		t.Errorf("the picture is %q", got)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	const want = "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 |  |\n"
	if got := markdown.Table([]string{"a", "b"}, [][]string{{"1", "2"}, {"3", ""}}); got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
