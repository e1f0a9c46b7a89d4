package checkout

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Root is the folder of the module.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Read returns a file, named from the module's folder. Line ends are made uniform for
// checkouts that convert them.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(Root(), filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
}

// CannotDownload tells from the output of a Go command whether it failed for want of a
// module that it could not get.
func CannotDownload(out string) bool {
	return slices.ContainsFunc([]string{"dial tcp", "no such host", "connection refused", "i/o timeout", "module lookup disabled", "proxyconnect"},
		func(s string) bool { return strings.Contains(out, s) })
}
