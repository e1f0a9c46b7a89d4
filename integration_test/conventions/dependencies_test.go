package conventions_test

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/checkout"
)

type goMod struct {
	Require []struct {
		Path     string
		Version  string
		Indirect bool
	}
	Replace []json.RawMessage
	Tool    []json.RawMessage
}

func rootGoMod(t *testing.T) goMod {
	t.Helper()
	var mod goMod
	if err := json.Unmarshal(goCommand(t, checkout.Root(), nil, "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	return mod
}

func TestEveryDependencyHasAReason(t *testing.T) {
	t.Parallel()
	reasons := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\| ([^|]+) \\|$").FindAllStringSubmatch(string(checkout.Read(t, "docs/dependencies.md")), -1) {
		if reasons[m[1]] {
			t.Errorf("docs/dependencies.md names %s twice", m[1])
		}
		reasons[m[1]] = true
		if len(strings.Fields(m[3])) < 3 {
			t.Errorf("docs/dependencies.md: %q is no reason for %s", m[3], m[1])
		}
	}
	for _, r := range rootGoMod(t).Require {
		if !r.Indirect && !reasons[r.Path] {
			t.Errorf("go.mod requires %s, and docs/dependencies.md gives no reason for it", r.Path)
		}
		if !r.Indirect {
			delete(reasons, r.Path)
		}
	}
	for mod := range reasons {
		t.Errorf("docs/dependencies.md names %s, which go.mod does not require directly", mod)
	}
}

// These are the release lines that the library is written for; a change of one
// is a decision, not a bump.
func TestDependencyVersions(t *testing.T) {
	t.Parallel()
	lines := map[string]string{
		"go.etcd.io/etcd/client/v3":      "v3.7.",
		"go.etcd.io/etcd/server/v3":      "v3.7.",
		"gorm.io/gorm":                   "v1.31.",
		"go.mongodb.org/mongo-driver/v2": "v2.10.",
		"github.com/FerretDB/FerretDB":   "v1.24.2",
	}
	mod := rootGoMod(t)
	for _, r := range mod.Require {
		if line, ok := lines[r.Path]; ok && !strings.HasPrefix(r.Version, line) {
			t.Errorf("%s is required at %s, want %s", r.Path, r.Version, line)
		}
		delete(lines, r.Path)
	}
	for p := range lines {
		t.Errorf("go.mod does not require %s", p)
	}
	// Both would mean something for this module that they do not for its users.
	if len(mod.Replace)+len(mod.Tool) > 0 {
		t.Errorf("go.mod has replace or tool lines: %s %s", mod.Replace, mod.Tool)
	}
}

func TestEveryDecisionIsInTheIndex(t *testing.T) {
	t.Parallel()
	index := string(checkout.Read(t, "docs/decisions/README.md"))
	pages, err := filepath.Glob(filepath.Join(checkout.Root(), "docs", "decisions", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		name := path.Base(filepath.ToSlash(p))
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/decisions/README.md does not name %s", name)
		}
		if !strings.HasPrefix(string(text), "# ") {
			t.Errorf("docs/decisions/%s does not begin with a title", name)
		}
	}
}
