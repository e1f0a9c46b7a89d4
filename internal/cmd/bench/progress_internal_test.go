package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestProgressInLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(&out, 2)
	for _, name := range []string{"group", "import"} {
		p.step(name + ": round 1 of 1")
		p.finish(name + " took 3 s")
	}
	p.clear()
	const want = "work 1 of 2, group: round 1 of 1\ngroup took 3 s\nwork 2 of 2, import: round 1 of 1\nimport took 3 s\n"
	if out.String() != want {
		t.Errorf("said %q, want %q", out.String(), want)
	}
}

func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(&out, 2)
	p.terminal = true
	p.step("group: round 1 of 2")
	p.step("group: round 2 of 2")
	p.finish("group took 3 s")
	p.step("import: round 1 of 2")
	p.clear()
	p.clear()
	none, half := strings.Repeat("░", barCells), strings.Repeat("█", barCells/2)+strings.Repeat("░", barCells/2)
	want := none + " work 1 of 2, group: round 1 of 2\r\x1b[K" + none + " work 1 of 2, group: round 2 of 2\r\x1b[Kgroup took 3 s\n" +
		half + " work 2 of 2, import: round 1 of 2\r\x1b[K"
	if out.String() != want {
		t.Errorf("said %q, want %q", out.String(), want)
	}
	out.Reset()
	if p.step(strings.Repeat("long ", 50)); utf8.RuneCount(out.Bytes()) != progressWidth {
		t.Errorf("the line has %d characters", utf8.RuneCount(out.Bytes()))
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "status"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if newProgress(f, 1).terminal {
		t.Error("a file was taken for a terminal")
	}
}

func TestPlannedWorks(t *testing.T) {
	t.Parallel()
	once := 0
	for _, w := range works() {
		if w.once {
			once++
		}
	}
	for name, c := range map[string]struct {
		b    bench
		want int
	}{
		"the first cluster": {bench{first: true}, len(works())},
		"the next":          {bench{}, len(works()) - once},
		"just one":          {bench{config: config{only: "seed"}, first: true}, 1},
		"just one, once":    {bench{config: config{only: "group"}}, 0},
	} {
		if got := len(c.b.planned()); got != c.want {
			t.Errorf("%s: %d works, want %d", name, got, c.want)
		}
	}
}
