package conventions_test

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/internal/checkout"
)

// docPage is what the checks of the language know of one page.
type docPage struct {
	name string
	// text is the page without the parts that a program measured and wrote.
	text string
}

// docPages returns README.md, CONTRIBUTING.md and the pages of docs. The decisions
// are left out: they are records, and no limits hold for their length.
func docPages(t *testing.T) []docPage {
	t.Helper()
	names := []string{"README.md", "CONTRIBUTING.md"}
	found, err := filepath.Glob(filepath.Join(checkout.Root(), "docs", "*.md"))
	if err != nil || len(found) == 0 {
		t.Fatalf("%d pages in docs, %v", len(found), err)
	}
	for _, f := range found {
		names = append(names, "docs/"+path.Base(filepath.ToSlash(f)))
	}
	var all []docPage
	for _, name := range names {
		text := string(checkout.Read(t, name))
		all = append(all, docPage{name, regexp.MustCompile(`(?s)<!-- measured: begin.*?<!-- measured: end -->`).ReplaceAllString(text, "")})
	}
	return all
}

// decisionPages returns the pages of docs/decisions.
func decisionPages(t *testing.T) []docPage {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(checkout.Root(), "docs", "decisions", "*.md"))
	if err != nil || len(found) == 0 {
		t.Fatalf("%d pages in docs/decisions, %v", len(found), err)
	}
	return lo.Map(found, func(f string, _ int) docPage {
		name := "docs/decisions/" + path.Base(filepath.ToSlash(f))
		return docPage{name, string(checkout.Read(t, name))}
	})
}

// wordLimits are the pages with a limit of their own.
var wordLimits = map[string]int{
	"README.md": 900,
}

func TestPagesAreShort(t *testing.T) {
	t.Parallel()
	for _, p := range docPages(t) {
		limit, own := wordLimits[p.name]
		if !own {
			limit = 1500
		}
		words := len(strings.Fields(p.text))
		t.Logf("%-26s %5d words of %d", p.name, words, limit)
		if words > limit {
			t.Errorf("%s has %d words, at most %d are wanted", p.name, words, limit)
		}
	}
}

// easeLimits are the pages that may be harder to read than the others.
var easeLimits = map[string]float64{}

// The measure is Flesch's reading ease, of the sentences alone: without code,
// tables and headings. An identifier counts as a word of one syllable.
func TestPagesAreEasyToRead(t *testing.T) {
	t.Parallel()
	for _, p := range docPages(t) {
		limit, own := easeLimits[p.name]
		if !own {
			limit = 50
		}
		sentences := sentences(p.text)
		ease := readingEase(sentences)
		t.Logf("%-26s %5.1f, %d sentences", p.name, ease, len(sentences))
		if ease < limit {
			t.Errorf("%s has a reading ease of %.1f, at least %.0f is wanted", p.name, ease, limit)
			for _, s := range sentences {
				if e := readingEase([]string{s}); e < 20 {
					t.Logf("%5.0f %s", e, s)
				}
			}
		}
	}
}

func TestReadingEase(t *testing.T) {
	t.Parallel()
	text := "# A title is no sentence\n\nThe cat sat on\nthe mat. `Code` is one syllable, [a link](x.md) its text.\n\n| no | table |\n\n- An item is one\n- Another"
	want := []string{"The cat sat on the mat.", "x is one syllable, a link its text.", "An item is one", "Another"}
	got := sentences(text)
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("sentences %q, want %q", got, want)
	}
	for word, want := range map[string]int{"cat": 1, "table": 2, "locked": 1, "waited": 2, "database": 3, "transaction": 3, "queue": 1, "made": 1} {
		if got := syllables(word); got != want {
			t.Errorf("%s has %d syllables, want %d", word, got, want)
		}
	}
	// 6 words, one sentence, 6 syllables: 206.835 - 1.015*6 - 84.6.
	if got := readingEase(want[:1]); fmt.Sprintf("%.1f", got) != "116.1" {
		t.Errorf("reading ease %.1f, want 116.1", got)
	}
}

var (
	mdFence   = regexp.MustCompile("(?ms)^ *```.*?\n *```$")
	mdComment = regexp.MustCompile(`(?s)<!--.*?-->`)
	mdSpan    = regexp.MustCompile("`[^`]*`")
	mdTarget  = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	mdItem    = regexp.MustCompile(`^ *(?:[-*>]|\d+\.) +`)
	endOf     = regexp.MustCompile(`[.!?]["')*]*\s+`)
	anyWord   = regexp.MustCompile(`[A-Za-z][A-Za-z'’-]*`)
	vowels    = regexp.MustCompile(`[aeiouy]+`)
	camel     = regexp.MustCompile(`([a-zA-Z0-9])([A-Z][a-z])`)
)

// sentences returns those of the paragraphs and lists of a page.
func sentences(text string) []string {
	text = mdComment.ReplaceAllString(mdFence.ReplaceAllString(text, ""), "")
	text = mdTarget.ReplaceAllString(mdSpan.ReplaceAllString(text, "x"), "$1")
	var all []string
	block := ""
	end := func() {
		for rest := strings.TrimSpace(block); rest != ""; {
			cut := len(rest)
			if at := endOf.FindStringIndex(rest); at != nil {
				cut = at[1]
			}
			if s := strings.TrimSpace(rest[:cut]); anyWord.MatchString(s) {
				all = append(all, s)
			}
			rest = rest[cut:]
		}
		block = ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.TrimSpace(line) == "", strings.HasPrefix(line, "#"), strings.HasPrefix(strings.TrimSpace(line), "|"):
			end()
		case mdItem.MatchString(line):
			end()
			block = mdItem.ReplaceAllString(line, "")
		default:
			block += " " + strings.TrimSpace(line)
		}
	}
	end()
	return all
}

// readingEase is Flesch's formula (1948).
func readingEase(sentences []string) float64 {
	words, total := 0, 0
	for _, s := range sentences {
		for _, w := range anyWord.FindAllString(s, -1) {
			words++
			total += syllables(w)
		}
	}
	if words == 0 {
		return 100
	}
	return 206.835 - 1.015*float64(words)/float64(len(sentences)) - 84.6*float64(total)/float64(words)
}

// syllables counts the groups of vowels, without those that are silent.
func syllables(word string) int {
	word = strings.ToLower(word)
	n := len(vowels.FindAllString(word, -1))
	silent := func(ending string, spoken string) bool {
		stem, ok := strings.CutSuffix(word, ending)
		return ok && stem != "" && !strings.ContainsRune("aeiouy"+spoken, rune(stem[len(stem)-1]))
	}
	switch {
	case silent("e", "") && !strings.HasSuffix(word, "le"), silent("ed", "td"), silent("es", "scxzgh"):
		n--
	case strings.HasSuffix(word, "le") && len(word) > 3 && strings.ContainsRune("aeiouy", rune(word[len(word)-3])):
		n--
	}
	return max(n, 1)
}

// These words are not of today, or mean two things.
var wordsToAvoid = regexp.MustCompile(`(?i)\b(whoever|whom|anew|mend(s|ed|ing)?|takes in|of his own|for ever|passes over|beside|bereaves?|bury|buried|behind its back|beyond the plan|who(se)? [^.;:]*\bnotices)\b`)

func TestPagesAvoidWords(t *testing.T) {
	t.Parallel()
	changes := docPage{"CHANGELOG.md", mdSpan.ReplaceAllString(string(checkout.Read(t, "CHANGELOG.md")), "x")}
	for _, p := range slices.Concat(docPages(t), decisionPages(t), []docPage{changes}) {
		for i, line := range strings.Split(p.text, "\n") {
			for _, w := range wordsToAvoid.FindAllString(line, -1) {
				t.Errorf("%s:%d: %q in: %s", p.name, i+1, w, line)
			}
		}
	}
}
