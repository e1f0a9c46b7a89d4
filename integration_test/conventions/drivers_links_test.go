package conventions_test

import (
	"slices"
	"strings"
	"testing"
)

// Ensure that a program that opens one kind of connection links the clients of no
// other. The configuration itself needs their parsers, which are small.
func TestDriversLinkOneBackend(t *testing.T) {
	t.Parallel()
	clients := map[string]string{
		"etcd":     "go.etcd.io/etcd/client/v3",
		"postgres": "github.com/jackc/pgx/v5/stdlib",
		"mysql":    "gorm.io/driver/mysql",
		"sqlite":   "modernc.org/sqlite",
		"mongodb":  "go.mongodb.org/mongo-driver/v2/mongo",
		"config":   "",
	}
	for name, own := range clients {
		var reached []string
		for _, p := range goList(t, "-deps", "./drivers/"+name) {
			reached = append(reached, p.ImportPath)
		}
		if own != "" && !slices.Contains(reached, own) {
			t.Errorf("drivers/%s does not link %s: the test sees nothing", name, own)
		}
		for other, client := range clients {
			if other != name && client != "" && slices.ContainsFunc(reached, func(p string) bool { return p == client || strings.HasPrefix(p, client+"/lib") }) {
				t.Errorf("drivers/%s links %s", name, client)
			}
		}
	}
}
