package conventions_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/checkout"
)

const module = "github.com/holdfast-go/holdfast"

// floor says what a package may import in addition to the standard library: packages of
// this module, named from its root, and other modules. A name that ends in /...
// stands for everything below it as well; "any" lifts the rule.
type floor struct {
	pkg     string
	own     []string
	modules []string
}

// house lists every package of the module from the ground up. A new package is
// added here, on the floor where it belongs.
var house = []floor{
	{
		pkg:     "repo/internal/entity",
		modules: []string{"github.com/samber/lo"},
	},
	{
		pkg: "repo/internal/values",
		own: []string{"repo/internal/entity"},
	},
	{
		pkg: "repo/internal/query",
	},
	{
		pkg: "repo/internal/smartsave",
	},
	{
		pkg: "repo/internal/savepoint",
	},
	{
		pkg: "repo/internal/actor",
	},
	{
		pkg:     "repo",
		own:     []string{"repo/internal/..."},
		modules: []string{"github.com/go-json-experiment/json", "github.com/samber/lo"},
	},
	{
		pkg:     "repo/driver",
		own:     []string{"repo", "repo/internal/..."},
		modules: []string{"github.com/go-json-experiment/json", "github.com/samber/lo"},
	},
	{
		pkg: "repo/internal/fencesim", // tests only
	},
	{
		pkg: "repo/gormrepo/internal/sqltext",
	},
	{
		pkg:     "repo/gormrepo/internal/dberr",
		own:     []string{"repo", "repo/gormrepo/internal/sqltext"},
		modules: []string{"github.com/samber/lo", "gorm.io/gorm"},
	},
	{
		pkg:     "repo/gormrepo/internal/txconn",
		own:     []string{"repo", "repo/driver", "repo/gormrepo/internal/dberr", "repo/gormrepo/internal/sqltext"},
		modules: []string{"github.com/samber/lo", "gorm.io/gorm"},
	},
	{
		pkg: "repo/gormrepo/internal/fence",
		own: []string{
			"repo", "repo/driver", "repo/gormrepo/internal/dberr", "repo/gormrepo/internal/sqltext", "repo/gormrepo/internal/txconn",
		},
		modules: []string{"github.com/samber/lo", "gorm.io/gorm"},
	},
	{
		pkg:     "repo/gormrepo",
		own:     []string{"repo", "repo/driver", "repo/internal/...", "repo/gormrepo/internal/..."},
		modules: []string{"github.com/samber/lo", "gorm.io/gorm"},
	},
	{
		pkg:     "repo/mongorepo/internal/command",
		own:     []string{"repo", "repo/driver"},
		modules: []string{"github.com/samber/lo", "go.mongodb.org/mongo-driver/v2"},
	},
	{
		pkg:     "repo/mongorepo/internal/fence",
		own:     []string{"repo", "repo/driver", "repo/mongorepo/internal/command"},
		modules: []string{"github.com/samber/lo", "go.mongodb.org/mongo-driver/v2"},
	},
	{
		pkg:     "repo/mongorepo",
		own:     []string{"repo", "repo/driver", "repo/internal/...", "repo/mongorepo/internal/..."},
		modules: []string{"github.com/samber/lo", "go.mongodb.org/mongo-driver/v2", "golang.org/x/sync"},
	},
	{
		pkg:     "repo/memrepo",
		own:     []string{"repo", "repo/driver", "repo/internal/..."},
		modules: []string{"github.com/huandu/go-clone", "github.com/samber/lo"},
	},
	{
		pkg: "repo/repotest",
		own: []string{"repo", "repo/driver"},
	},
	{
		pkg:     "internal/memetcd",
		modules: []string{"go.etcd.io/etcd/api/v3", "go.etcd.io/etcd/client/v3", "google.golang.org/grpc"},
	},
	{
		pkg:     "etcdlock/internal/session",
		modules: []string{"go.etcd.io/etcd/api/v3", "go.etcd.io/etcd/client/v3", "golang.org/x/sys", "google.golang.org/grpc"},
	},
	{
		pkg:     "internal/etcdtest", // for tests only
		own:     []string{"internal/memetcd"},
		modules: []string{"go.etcd.io/etcd/api/v3", "google.golang.org/grpc"},
	},
	{
		pkg:     "etcdlock/internal/queue",
		own:     []string{"etcdlock/internal/session"},
		modules: []string{"go.etcd.io/etcd/api/v3", "go.etcd.io/etcd/client/v3", "google.golang.org/grpc"}, // grpc for tests
	},
	{
		pkg: "etcdlock/internal/cohort", // which knows nothing of etcd
		own: []string{"etcdlock/internal/queue", "etcdlock/internal/session"},
	},
	{
		pkg: "internal/fencing",
	},
	{
		pkg:     "etcdlock",
		own:     []string{"etcdlock/internal/cohort", "etcdlock/internal/queue", "etcdlock/internal/session", "internal/fencing"},
		modules: []string{"github.com/samber/lo", "go.etcd.io/etcd/api/v3", "go.etcd.io/etcd/client/v3", "google.golang.org/grpc"}, // api and grpc for tests
	},
	{
		pkg:     "etcdlock/locktest",
		own:     []string{"etcdlock", "internal/memetcd"},
		modules: []string{"go.etcd.io/etcd/client/v3"},
	},
	{
		pkg:     "etcdlock/internal/sim", // tests only
		modules: []string{"go.etcd.io/etcd/api/v3", "google.golang.org/grpc"},
	},
	{
		pkg:     "lockedrepo",
		own:     []string{"repo", "repo/driver", "etcdlock", "internal/fencing"},
		modules: []string{"github.com/samber/lo"},
	},
	{
		pkg: "lockedrepo/internal/lease",
		own: []string{"repo", "etcdlock"},
	},
	{
		pkg:     "lockedrepo/alsoredis",
		own:     []string{"repo", "etcdlock", "lockedrepo", "lockedrepo/internal/lease"},
		modules: []string{"github.com/bsm/redislock", "github.com/redis/go-redis/v9"}, // go-redis for tests
	},
	{
		pkg: "lockedrepo/alsoshedlock",
		own: []string{"repo", "etcdlock", "lockedrepo", "lockedrepo/internal/lease"},
	},
	{
		pkg:     "httpstatus",
		own:     []string{"repo", "etcdlock", "lockedrepo"},
		modules: []string{"github.com/samber/lo"},
	},
	{
		pkg: "drivers/internal/mistake",
	},
	{
		pkg: "drivers/internal/secret",
	},
	{
		pkg:     "drivers/internal/yamltree",
		own:     []string{"drivers/internal/mistake"},
		modules: []string{"go.yaml.in/yaml/v4"},
	},
	{
		pkg:     "drivers/internal/spring",
		own:     []string{"drivers/internal/mistake", "drivers/internal/yamltree"},
		modules: []string{"go.yaml.in/yaml/v4"},
	},
	{
		pkg:     "drivers/internal/jdbc",
		own:     []string{"drivers/internal/mistake"},
		modules: []string{"github.com/go-sql-driver/mysql"},
	},
	{
		pkg: "drivers/config",
		own: []string{
			"drivers/internal/jdbc", "drivers/internal/mistake", "drivers/internal/secret", "drivers/internal/spring",
			"drivers/internal/yamltree",
		},
		modules: []string{
			"github.com/go-sql-driver/mysql", "github.com/jackc/pgx/v5", "go.mongodb.org/mongo-driver/v2", "go.yaml.in/yaml/v4",
		},
	},
	{
		pkg: "drivers/internal/openerr",
		own: []string{"drivers/config"},
	},
	{
		pkg:     "drivers/internal/sqlopen",
		own:     []string{"drivers/config", "drivers/internal/openerr"},
		modules: []string{"github.com/samber/lo", "gorm.io/gorm"},
	},
	{
		pkg: "drivers/etcd",
		own: []string{"drivers/config", "drivers/internal/openerr", "drivers/internal/secret"},
		modules: []string{
			"go.etcd.io/etcd/api/v3", "go.etcd.io/etcd/client/v3", "go.uber.org/zap", "golang.org/x/net", "google.golang.org/grpc",
		},
	},
	{
		pkg:     "drivers/postgres",
		own:     []string{"drivers/config", "drivers/internal/sqlopen"},
		modules: []string{"github.com/jackc/pgx/v5", "gorm.io/driver/postgres", "gorm.io/gorm"},
	},
	{
		pkg:     "drivers/mysql",
		own:     []string{"drivers/config", "drivers/internal/jdbc", "drivers/internal/sqlopen"},
		modules: []string{"github.com/go-sql-driver/mysql", "gorm.io/driver/mysql", "gorm.io/gorm"},
	},
	{
		pkg:     "drivers/sqlite",
		own:     []string{"drivers/config", "drivers/internal/sqlopen"},
		modules: []string{"gorm.io/driver/sqlite", "gorm.io/gorm", "modernc.org/sqlite"},
	},
	{
		pkg:     "drivers/mongodb",
		own:     []string{"drivers/config", "drivers/internal/openerr"},
		modules: []string{"go.mongodb.org/mongo-driver/v2"},
	},
	{
		pkg:     "drivers",
		own:     []string{"drivers/..."},
		modules: []string{"go.etcd.io/etcd/client/v3", "go.mongodb.org/mongo-driver/v2", "gorm.io/gorm"},
	},
	{pkg: "internal/devserver", modules: []string{"any"}},
	{pkg: "internal/cmd/...", own: []string{"any"}, modules: []string{"any"}},
	{pkg: "examples/...", own: []string{"any"}, modules: []string{"any"}},
	{pkg: "internal/checkout"},
	{pkg: "integration_test/...", own: []string{"any"}, modules: []string{"any"}},
}

// testModules may be imported by the tests of any package: small ones, and those
// that the backends bring anyway.
var testModules = []string{"go.mongodb.org/mongo-driver/v2", "go.uber.org/goleak", "gorm.io/gorm", "pgregory.net/rapid"}

// heavyModules must never get into a user's build, nor into that of his tests.
var heavyModules = []string{
	"go.etcd.io/etcd/server", "go.etcd.io/etcd/etcdctl", "go.etcd.io/etcd/etcdutl",
	"github.com/FerretDB",
	"github.com/compose-spec",
}

// listed is the part of `go list -json` that the tests here look at.
type listed struct {
	ImportPath   string
	Name         string
	Dir          string
	ForTest      string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Standard     bool
	Module       *struct{ Path string }
}

func TestPackagesImportOnlyFromBelow(t *testing.T) {
	t.Parallel()
	// What an import belongs to: its module, or "" for the standard library.
	moduleOf := map[string]string{}
	for _, p := range goList(t, "-deps", "-test", "./...") {
		if p.Module != nil {
			moduleOf[p.ImportPath] = p.Module.Path
		}
	}
	check := func(from, imported string, f floor) {
		if own, ok := strings.CutPrefix(imported, module+"/"); ok {
			if own != from && !allowed(own, f.own) {
				t.Errorf("%s must not import %s", from, own)
			}
		} else if m := moduleOf[imported]; m != "" && !allowed(m, f.modules) {
			t.Errorf("%s must not import %s", from, imported)
		}
	}
	for _, p := range goList(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		i := slices.IndexFunc(house, func(f floor) bool { return allowed(name, []string{f.pkg}) })
		if i < 0 {
			t.Errorf("package %s has no floor: add it to the house in this file", name)
			continue
		}
		for _, imported := range p.Imports {
			check(name, imported, house[i])
		}
		// A test may use its neighbours, the suites above all; what it drags into
		// a user's go.sum is the concern.
		tests := house[i]
		tests.own = []string{"any"}
		tests.modules = append(slices.Clone(tests.modules), testModules...)
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			check(name, imported, tests)
		}
	}
}

// A user's `go mod tidy` follows the tests of the packages that he imports, so
// the tests of the library count as much as the library.
func TestLibraryNeverReachesTheTestServers(t *testing.T) {
	t.Parallel()
	var library []string
	for _, p := range goList(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if isLibrary(name) {
			library = append(library, p.ImportPath)
		}
	}
	if len(library) < 2 {
		t.Fatalf("the library is %q: the test sees nothing", library)
	}
	reached := map[string]string{} // module -> a package of it
	for _, p := range goList(t, append([]string{"-deps", "-test"}, library...)...) {
		if p.ImportPath == module+"/internal/devserver" {
			t.Errorf("the library or its tests reach %s", p.ImportPath)
		}
		if p.Module != nil && heavy(p.Module.Path) {
			reached[p.Module.Path] = p.ImportPath
		}
	}
	for mod, pkg := range reached {
		t.Errorf("the library or its tests reach module %s, such as %s", mod, pkg)
	}
}

// isLibrary reports whether users can import the package, or get it with one
// that they import.
func isLibrary(name string) bool {
	return !allowed(name, []string{"internal/devserver", "internal/cmd/...", "examples/...", "integration_test/..."})
}

func heavy(mod string) bool {
	return slices.ContainsFunc(heavyModules, func(h string) bool { return mod == h || strings.HasPrefix(mod, h+"/") })
}

func allowed(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		parent, tree := strings.CutSuffix(p, "/...")
		return p == "any" || name == parent || tree && strings.HasPrefix(name, parent+"/")
	})
}

// goList runs `go list -json` in the module's folder. The variants that -test
// adds are left out where they only repeat a package.
func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	args = append([]string{"list", "-json=ImportPath,Name,Dir,ForTest,Imports,TestImports,XTestImports,Standard,Module"}, args...)
	dec := json.NewDecoder(bytes.NewReader(goCommand(t, checkout.Root(), nil, args...)))
	var all []listed
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// goCommand runs the go command in dir and returns its output.
func goCommand(t *testing.T, dir string, env []string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}
