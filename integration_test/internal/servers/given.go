package servers

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"
)

// RequireEnv returns the value of the environment variable that names a server
// which cannot be embedded. Without it the test skips, or fails when
// REQUIRE_BACKENDS is 1.
func RequireEnv(t testing.TB, name string) string {
	t.Helper()
	v := os.Getenv(name)
	switch {
	case v != "":
		return v
	case os.Getenv("REQUIRE_BACKENDS") == "1":
		t.Fatalf("%s is not set, and REQUIRE_BACKENDS=1 demands it", name)
	default:
		t.Skipf("%s is not set: no server to test with", name)
	}
	return ""
}

// UniqueName returns prefix with a random ending of lower-case letters and
// digits, short enough for the name of a database, a schema or a key.
func UniqueName(prefix string) string {
	return prefix + strings.ToLower(rand.Text()[:12])
}
