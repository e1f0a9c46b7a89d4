package integration_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/drivers"
)

// TestQuickstart_OnGivenServers runs the demo as a user with servers does. The
// run on embedded servers is the same program; the CI run has it.
func TestQuickstart_OnGivenServers(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, 4*time.Minute)
	dir := t.TempDir()
	sql := drivers.SQLConfig{Dialect: drivers.SQLite, DSN: filepath.Join(dir, "shop.db")}
	if os.Getenv("POSTGRES_DSN") != "" {
		sql = drivers.SQLConfig{Dialect: drivers.Postgres, DSN: postgresSchema(t)}
	}
	config := filepath.Join(dir, "holdfast.yaml")
	yaml := fmt.Sprintf("etcd:\n  endpoints: [%s]\nsql:\n  dialect: %s\n  dsn: '%s'\nmongo:\n  uri: '%s'\n  database: %s\n",
		strings.Join(etcdEndpoints(t), ", "), sql.Dialect, sql.DSN, mongoURI(t), uniqueName("quickstart_"))
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "quickstart.exe")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "../examples/quickstart").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	var out, status bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "--config", config, "--workers", "2", "--ops", "25")
	cmd.Stdout, cmd.Stderr = &out, &status
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, &status, &out)
	}
	t.Log(out.String())
	if !strings.Contains(out.String(), "with it 0 of 1096.") { // 2 stores x 2 workers x (249 + 25)
		t.Fatal("the demo does not say that nothing was lost")
	}
	db, err := drivers.OpenSQL(ctx, sql)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	tables, err := db.Migrator().GetTables()
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if strings.HasPrefix(table, "holdfast_quickstart_") {
			t.Errorf("the demo left the table %s", table)
		}
	}
}
