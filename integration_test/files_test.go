package integration_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// moduleRoot is the module's folder, seen from where the tests run.
const moduleRoot = ".."

// readFile returns a file of the repository, named from the module's folder.
// Line ends are made uniform for checkouts that convert them.
func readFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
}
