package main

import (
	"strings"
	"testing"
)

// A setup and a transaction fault prove something only when a weaker design
// loses there.
func TestEverySetupBeatsADesign(t *testing.T) {
	t.Parallel()
	for _, f := range append(transactionFaults(), setupFaults()...) {
		if len(f.beats) == 0 {
			t.Errorf("no design loses under %q", f.name)
		}
		if f.felt == "" || f.round == nil {
			t.Errorf("%q is not complete", f.name)
		}
	}
}

func TestPlaceOfASetup(t *testing.T) {
	t.Parallel()
	postgres := place{Store: onPostgres, Name: "p", DSN: "postgres://u@h:1/d?search_path=p"}
	mariaDB := place{Store: onMariaDB, Name: "p", DSN: "u@tcp(h:1)/p"}
	sqlite := place{Store: onSQLite, Name: "p", DSN: "/folder/p.db"}
	with := func(p place, s setup) place {
		p.Setup = s
		return p
	}
	for name, c := range map[string]struct {
		got  func() (place, error)
		want string // in the DSN
	}{
		"Plain":           {func() (place, error) { return postgres.of(1) }, "search_path=p"},
		"OwnSearchPath":   {func() (place, error) { return with(postgres, setup{OwnSchema: true}).of(1) }, "search_path=p_1"},
		"OwnDatabase":     {func() (place, error) { return with(mariaDB, setup{OwnSchema: true}).of(1) }, "/p_1"},
		"Replica":         {func() (place, error) { return with(postgres, setup{Resolver: true}).replica() }, "search_path=p"},
		"StalePostgres":   {func() (place, error) { return with(postgres, setup{Stale: true}).replica() }, "search_path=p_replica"},
		"StaleMariaDB":    {func() (place, error) { return with(mariaDB, setup{Stale: true}).replica() }, "/p_replica"},
		"StaleSQLite":     {func() (place, error) { return with(sqlite, setup{Stale: true}).replica() }, "/folder/p_replica.db"},
		"RepeatablePg":    {func() (place, error) { return with(postgres, setup{Isolation: "repeatable read"}).set(false) }, "default_transaction_isolation=repeatable%20read"},
		"RepeatableMaria": {func() (place, error) { return with(mariaDB, setup{Isolation: "repeatable read"}).set(true) }, "tx_isolation=%27REPEATABLE-READ%27"},
		"RepeatableMySQL": {func() (place, error) { return with(mariaDB, setup{Isolation: "repeatable read"}).set(false) }, "transaction_isolation=%27REPEATABLE-READ%27"},
		"ExecMode":        {func() (place, error) { return with(postgres, setup{ExecMode: "exec"}).set(false) }, "default_query_exec_mode=exec"},
	} {
		got, err := c.got()
		if err != nil || !strings.Contains(got.DSN, c.want) {
			t.Errorf("%s: got %q, want %q in it: %v", name, got.DSN, c.want, err)
		}
	}
}

func TestProgramThatIsMissing(t *testing.T) {
	t.Parallel()
	if path, err := find("holdfast-no-such-program"); err == nil || !strings.Contains(err.Error(), "holdfast-no-such-program is not installed") {
		t.Errorf("found %q: %v", path, err)
	}
}

// The settings of the pooler name the login only where there is one: PgBouncer
// takes an empty password for a mistake.
func TestPoolerSettings(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"postgres://u@h/d":         "* = host=h port=5432 user='u'\n",
		"postgres://u:o'c@h:1/d":   "* = host=h port=1 user='u' password='o''c'\n",
		"postgres://o'u:p@h:123/d": "* = host=h port=123 user='o''u' password='p'\n",
	} {
		got, err := poolerSettings(6432, dsn)
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q in it: %v", dsn, got, want, err)
		}
	}
}
