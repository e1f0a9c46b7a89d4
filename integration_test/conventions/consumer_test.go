package conventions_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/checkout"
)

// consumerProgram is what a user of the library has at the least.
const consumerProgram = `package main

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
	clientv3 "go.etcd.io/etcd/client/v3"
	"gorm.io/gorm"
)

type Order struct {
	ID    int64
	Buyer string
}

func open(db *gorm.DB, cli *clientv3.Client) (repo.Repository[Order], error) {
	inner, err := gormrepo.New[Order](db, nil)
	if err != nil {
		return nil, err
	}
	locker, err := etcdlock.New(cli, nil)
	if err != nil {
		return nil, err
	}
	return lockedrepo.New(inner, locker, nil)
}

func main() {
	orders, err := open(nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(orders.Count(context.Background()))
}
`

// optionalModules belong to packages that the program above does not import.
var optionalModules = []string{"github.com/bsm/redislock", "github.com/redis/go-redis/v9"}

// A module that uses the library must not hear of the servers that the library
// is tested with: not in its go.mod, not in its go.sum. `go mod tidy` follows the
// tests of the packages it finds imported, so one import in the wrong test file
// is enough to break this.
func TestConsumerGetsNoTestServer(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(checkout.Root())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "main.go"), consumerProgram)
	writeFile(t, filepath.Join(dir, "go.mod"), fmt.Sprintf(`module consumer.example/shop

go 1.26.0

require %[1]s v0.0.0

replace %[1]s => %[2]q
`, module, root))
	// With the checksums at hand nobody needs to be asked for them; tidy drops the
	// lines that are not needed, which is what this test is about.
	writeFile(t, filepath.Join(dir, "go.sum"), string(checkout.Read(t, "go.sum")))

	if out, err := consumerGo(t, dir, "mod", "tidy"); err != nil {
		if checkout.CannotDownload(out) && os.Getenv("REQUIRE_BACKENDS") != "1" {
			t.Skipf("a user's modules can be had neither from the cache nor from the network: %s", out)
		}
		t.Fatalf("go mod tidy: %v\n%s", err, out)
	}
	if out, err := consumerGo(t, dir, "build", "-o", filepath.Join(dir, "shop.exe"), "."); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}

	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		// If these are missing, the test looks at the wrong thing.
		for _, mod := range []string{"go.etcd.io/etcd/client/v3 ", "gorm.io/gorm "} {
			if !bytes.Contains(text, []byte(mod)) {
				t.Errorf("%s has no line of %s", name, mod)
			}
		}
		for i, line := range strings.Split(string(text), "\n") {
			mod := strings.TrimPrefix(strings.TrimSpace(line), "require ")
			mod, _, _ = strings.Cut(mod, " ")
			if heavy(mod) || slices.Contains(optionalModules, mod) {
				t.Errorf("%s:%d: %s", name, i+1, line)
			}
		}
	}
}

// consumerGo runs the go command as a user would: his module may be changed, and
// nothing of this module's own build flags applies.
func consumerGo(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOTOOLCHAIN=local")
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), err
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
