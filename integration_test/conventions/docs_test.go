package conventions_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/checkout"
)

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for _, p := range goList(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		// The package comment has one place, so that it is found at once.
		file := "doc.go"
		switch {
		case p.Name == "main" && !exists(filepath.Join(p.Dir, file)):
			file = "main.go"
		case strings.HasPrefix(name, "integration_test/internal/"):
		case strings.HasPrefix(name, "integration_test"), name == "etcdlock/internal/sim", name == "repo/internal/fencesim":
			file = "doc_test.go"
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.ParseComments|parser.PackageClauseOnly)
		switch {
		case err != nil:
			t.Errorf("package %s: %v", name, err)
		case f.Doc == nil:
			t.Errorf("package %s: %s has no package comment", name, file)
		case p.Name != "main" && !strings.HasPrefix(f.Doc.Text(), "Package "+f.Name.Name+" "):
			t.Errorf("package %s: the package comment does not begin with %q", name, "Package "+f.Name.Name)
		case isPublic(name) && !strings.Contains(f.Doc.Text(), "\n\t"):
			t.Errorf("package %s: the package comment shows no program", name)
		}
	}
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	t.Parallel()
	for _, p := range goList(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if !isPublic(name) {
			continue
		}
		entries, err := os.ReadDir(p.Dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
				continue
			}
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, e.Name()), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				for _, id := range undocumented(d) {
					t.Errorf("%s/%s:%d: %s has no doc comment", name, e.Name(), fset.Position(id.Pos()).Line, id.Name)
				}
			}
		}
	}
}

// isPublic reports whether users import the package themselves.
func isPublic(name string) bool {
	return isLibrary(name) && !strings.HasPrefix(name, "internal/") && !strings.Contains(name, "/internal/")
}

// undocumented returns the exported names of d that no comment explains: types,
// functions, methods of exported types, constants, variables, methods of
// interfaces and fields of structs. One comment above a group of constants or
// variables counts for the group, and one above a field for the fields below it
// that it names. A type without any comment inside is explained by its own.
func undocumented(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var missing []*ast.Ident
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if !s.Name.IsExported() {
					continue
				}
				if s.Doc == nil && d.Doc == nil {
					missing = append(missing, s.Name)
				}
				missing = append(missing, undocumentedMembers(s.Type)...)
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
						missing = append(missing, n)
					}
				}
			}
		}
		return missing
	}
	return nil
}

func undocumentedMembers(typ ast.Expr) []*ast.Ident {
	var members *ast.FieldList
	switch typ := typ.(type) {
	case *ast.StructType:
		members = typ.Fields
	case *ast.InterfaceType:
		members = typ.Methods
	default:
		return nil
	}
	var missing []*ast.Ident
	commented := false
	above := "" // the last comment above a member
	for _, m := range members.List {
		commented = commented || m.Doc != nil || m.Comment != nil
		if m.Doc != nil {
			above = m.Doc.Text()
		}
		for _, n := range m.Names {
			if n.IsExported() && m.Doc == nil && m.Comment == nil && !strings.Contains(above, n.Name) {
				missing = append(missing, n)
			}
		}
	}
	if !commented {
		return nil
	}
	return missing
}

// exportedReceiver reports whether d is a function, or a method that users see.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

var (
	goBlock   = regexp.MustCompile("(?s)(\n<!-- not compiled: [^\n]+ -->)?\n```go\n(.*?\n)```\n")
	mdLink    = regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]*))?\)`)
	mdHeading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	mdCode    = regexp.MustCompile("(?s)\n```.*?\n```\n|`[^`\n]*`")
	mdCommand = regexp.MustCompile(`(?m)^(?:\$ )?(go (?:run|test) \S+)`)
)

// Go code of a page is part of a Go file of the repository, where the compiler and
// the tests see it, or a whole program that compiles. A block that can be neither
// stands below a line <!-- not compiled: reason -->.
func TestCodeOfPages(t *testing.T) {
	t.Parallel()
	files := repositoryFiles(t)
	corpus := map[string]string{}
	for name, text := range files {
		if strings.HasSuffix(name, ".go") {
			corpus[name] = trimLines(text)
		}
	}
	shown := map[string]int{}
	for name, page := range files {
		if !strings.HasSuffix(name, ".md") {
			continue
		}
		for _, b := range goBlock.FindAllStringSubmatch(page, -1) {
			shown[name]++
			part, found := trimLines(b[2]), b[1] != ""
			for _, text := range corpus {
				found = found || strings.Contains(text, part)
			}
			switch {
			case found:
			case strings.HasPrefix(b[2], "package "):
				compile(t, b[2])
			default:
				t.Errorf("no Go file of the repository contains this part of %s:\n%s", name, b[2])
			}
		}
	}
	if shown["README.md"] == 0 || shown["docs/start.md"] == 0 {
		t.Errorf("README.md or docs/start.md shows no Go code: %v", shown)
	}
}

func TestREADMENamesTheCommands(t *testing.T) {
	t.Parallel()
	var commands []string
	for _, m := range mdCommand.FindAllStringSubmatch(string(checkout.Read(t, "README.md")), -1) {
		commands = append(commands, m[1])
	}
	for _, want := range []string{"go run ./examples/quickstart", "go test ./..."} {
		if !strings.Contains(strings.Join(commands, "\n")+"\n", want+"\n") {
			t.Errorf("README.md does not show %q on a line of its own; it shows %q", want, commands)
		}
	}
}

func TestLinksBetweenDocumentsWork(t *testing.T) {
	t.Parallel()
	files := repositoryFiles(t)
	for name, text := range files {
		if !strings.HasSuffix(name, ".md") {
			continue
		}
		for _, m := range mdLink.FindAllStringSubmatch(mdCode.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			target := name
			if m[1] != "" {
				target = path.Join(path.Dir(name), m[1])
			}
			if !exists(filepath.Join(checkout.Root(), filepath.FromSlash(target))) {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
			if m[2] != "" && !slices.Contains(anchors(files[target]), m[2]) {
				t.Errorf("%s links to %s, which has no heading for #%s", name, target, m[2])
			}
		}
	}
}

// anchors are the names by which the headings of a page are linked.
func anchors(text string) []string {
	var all []string
	for _, m := range mdHeading.FindAllStringSubmatch(mdFence.ReplaceAllString(text, ""), -1) {
		all = append(all, strings.ReplaceAll(regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}

// Paths of the machine that something was written on mean nothing to a reader.
func TestNoMachinePaths(t *testing.T) {
	t.Parallel()
	// The brackets keep the pattern from finding itself.
	paths := regexp.MustCompile(`(^|[^\w.\]-])/(wor[k]|tm[p]|roo[t]|hom[e]|User[s])/\w|\b[A-Z]:\\+User[s]\b`)
	for name, text := range repositoryFiles(t) {
		for i, line := range strings.Split(text, "\n") {
			if paths.MatchString(line) {
				t.Errorf("%s:%d names a path of some machine: %s", name, i+1, strings.TrimSpace(line))
			}
		}
	}
}

// compile builds a program as if it stood in a folder of this module.
func compile(t *testing.T, program string) {
	t.Helper()
	root, err := filepath.Abs(checkout.Root())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	writeFile(t, file, program)
	overlay, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(root, "examples", "from-readme", "main.go"): file},
	})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "overlay.json"), string(overlay))
	goCommand(t, checkout.Root(), nil, "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", filepath.Join(dir, "program.exe"), "./examples/from-readme")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// repositoryFiles returns the text files of the repository by their names, seen
// from its root, without what builds and fuzzing leave behind.
func repositoryFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(checkout.Root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(checkout.Root(), path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch filepath.ToSlash(rel) {
			case ".git", "bin", "dist":
				return fs.SkipDir
			}
			return nil
		}
		switch filepath.Ext(path) {
		case ".go", ".md", ".yml", ".yaml", ".mod", ".json", ".txt", "":
			if d.Type().IsRegular() && rel != ".git" {
				files[filepath.ToSlash(rel)] = string(checkout.Read(t, filepath.ToSlash(rel)))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func trimLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSpace(l)
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}
