//go:build !race

// The demo is a process of its own, which the race detector does not look into. It only
// makes the servers slower, which the demo does not wait for.

package quickstart_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/internal/checkout"
)

func TestMain(m *testing.M) { os.Exit(embedded.Run(m)) }

// TestQuickstart_OnGivenServers runs the demo as a user with servers does. The
// run on embedded servers is the same program; the CI run has it.
func TestQuickstart_OnGivenServers(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 4*time.Minute)
	dir := t.TempDir()
	sql := drivers.SQLConfig{Dialect: drivers.SQLite, DSN: filepath.Join(dir, "shop.db")}
	if os.Getenv("POSTGRES_DSN") != "" {
		sql = drivers.SQLConfig{Dialect: drivers.Postgres, DSN: sqldb.PostgresSchema(t)}
	}
	config := filepath.Join(dir, "holdfast.yaml")
	yaml := fmt.Sprintf("etcd:\n  endpoints: [%s]\nsql:\n  dialect: %s\n  dsn: '%s'\nmongo:\n  uri: '%s'\n  database: %s\n",
		strings.Join(embedded.EtcdEndpoints(t), ", "), sql.Dialect, sql.DSN, embedded.MongoURI(t), servers.UniqueName("quickstart_"))
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "quickstart.exe")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "../../examples/quickstart").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	for _, page := range []string{config, filepath.Join(dir, "nowhere.md")} { // no marks, and no file
		if out, err := exec.CommandContext(ctx, program, "--config", config, "--readme", page).CombinedOutput(); err == nil || strings.Contains(string(out), "import") {
			t.Errorf("the demo ran before it looked at the page %s: %v\n%s", page, err, out)
		}
	}
	readme := filepath.Join(dir, "README.md")
	check.Must(t, os.WriteFile(readme, checkout.Read(t, "README.md"), 0o600))
	var out, status bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "--config", config, "--workers", "2", "--ops", "25", "--readme", readme)
	cmd.Stdout, cmd.Stderr = &out, &status
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, &status, &out)
	}
	t.Log(out.String())
	if !strings.Contains(out.String(), "with it 0 of 1096.") { // 2 stores x 2 workers x (249 + 25)
		t.Fatal("the demo does not say that nothing was lost")
	}
	written, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	if shown, now := keptTable(t, string(checkout.Read(t, "README.md"))), keptTable(t, string(written)); !slices.EqualFunc(shown, now, func(a, b kept) bool { return a.what == b.what }) {
		t.Errorf("README.md shows the table %+v, the demo writes %+v", shown, now)
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

// kept is a row of the table that the demo writes into README.md.
type kept struct {
	what       string
	kept, lost int
}

// keptTable reads that table. The numbers in the names of its rows are left out.
func keptTable(t *testing.T, readme string) []kept {
	t.Helper()
	_, rest, begins := strings.Cut(readme, "<!-- quickstart: begin")
	table, _, ends := strings.Cut(rest, "<!-- quickstart: end -->")
	if !begins || !ends {
		t.Fatal("README.md has no table of the demo")
	}
	var rows []kept
	for _, m := range regexp.MustCompile(`(?m)^\| ([^|]+) \| (\d+) \| (\d+) \|$`).FindAllStringSubmatch(table, -1) {
		k, _ := strconv.Atoi(m[2])
		l, _ := strconv.Atoi(m[3])
		rows = append(rows, kept{m[1], k, l})
	}
	return rows
}

// What README.md shows is a run of the demo as its command starts it.
func TestREADMEShowsWhatIsLost(t *testing.T) {
	t.Parallel()
	readme := string(checkout.Read(t, "README.md"))
	rows := keptTable(t, readme)
	if len(rows) != 4 || !strings.Contains(readme, "\n| 600 updates by 3 processes | kept | lost |\n") { // 3 workers, 200 each
		t.Fatalf("the table of README.md has the rows %+v", rows)
	}
	for _, r := range rows {
		if locked := strings.HasSuffix(r.what, "Holdfast"); r.kept+r.lost != 600 || locked != (r.lost == 0) {
			t.Errorf("%s: %d kept and %d lost", r.what, r.kept, r.lost)
		}
	}
}
