package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"math"
	"net"
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

func TestRoundTripsAreTurns(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	defer client.Close()
	go func() { // answers each byte 'q' by two
		defer server.Close()
		b := make([]byte, 1)
		for {
			if _, err := server.Read(b); err != nil {
				return
			}
			if b[0] == 'q' {
				if _, err := server.Write([]byte("ok")); err != nil {
					return
				}
			}
		}
	}()
	var counted turns
	conn := counted.on(client)
	for i, talk := range []struct {
		sends []string
		want  int64
	}{
		{[]string{"q"}, 1},
		{[]string{"header", "q"}, 2}, // a request in two writes
		{[]string{"xq"}, 3},          // sent together
		{[]string{"q"}, 4},
	} {
		for _, s := range talk.sends {
			if _, err := io.WriteString(conn, s); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // an answer in two reads
			if _, err := conn.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if got := counted.n.Load(); got != talk.want {
			t.Errorf("after talk %d: %d round trips, want %d", i+1, got, talk.want)
		}
	}
}

func TestFenceByHandRises(t *testing.T) {
	t.Parallel()
	f := &handFence{claim: repo.Claim{Key: "k", Token: 1, Owner: "o", Sub: 1 << 32}}
	first, second := f.Claims()[0], f.Claims()[0]
	if !second.Succeeds(first) || first.Succeeds(second) {
		t.Errorf("%v after %v", second, first)
	}
}

// figuresOf is a store on which a fence doubles the time.
func figuresOf(k storeKind, ways int) fenceFigures {
	f := fenceFigures{storeKind: k, about: "made up", unit: "round trips"}
	for _, of := range []load{{1, 1}, {64, 1}} {
		l := loadFigures{load: of}
		for i := range ways {
			with := float64(i % 2)
			l.ways = append(l.ways, "way")
			l.micros = append(l.micros, []float64{100 * (1 + with), 1000 * (1 + with), 10 * (1 + with)})
			l.trips = append(l.trips, []float64{3 + with, 3 + with, 3 + with})
		}
		f.loads = append(f.loads, l)
	}
	return f
}

func TestFenceIsReported(t *testing.T) {
	t.Parallel()
	kind := func(name string) storeKind {
		for _, k := range storeKinds() {
			if k.name == name {
				return k
			}
		}
		t.Fatalf("no %s", name)
		return storeKind{}
	}
	b := &bench{report: &report{}, members: 1}
	err := b.reportFence([]fenceFigures{
		figuresOf(kind("SQLite"), fencedTx+1),
		{storeKind: kind("PostgreSQL")}, // its variable was not set
		figuresOf(kind("MySQL or MariaDB"), fencedTx+1),
		figuresOf(kind("MongoDB's stand-in"), lockedFencedSave+1),
	})
	if err != nil {
		t.Fatal(err)
	}
	met := map[string]bool{}
	for _, g := range b.report.goals {
		met[g.what] = g.met()
	}
	if want := map[string]bool{
		"a save under a fence, PostgreSQL":                          false, // not measured
		"a locked save with its fence, PostgreSQL":                  false,
		"a transaction with a save under a fence, PostgreSQL":       false,
		"a save under a fence, MySQL or MariaDB":                    true, // one more
		"a locked save with its fence, MySQL or MariaDB":            true,
		"a transaction with a save under a fence, MySQL or MariaDB": true,
		"a save under a fence, MongoDB's stand-in":                  false, // none more is wanted
		"a locked save with its fence, MongoDB's stand-in":          false,
	}; !reflect.DeepEqual(met, want) {
		t.Errorf("goals met: %v, want %v", met, want)
	}
	text := b.report.text(false)
	for _, want := range []string{
		"- PostgreSQL: not measured, POSTGRES_DSN was not set\n",
		"## The fence on SQLite (etcd with 1 member)\n\nMade up.\n\n| µs for each save | 1 caller, 1 row | 64 callers, 1 row |\n",
		"| **with the fence, locked** | 2x (2 to 2) | 2x (2 to 2) |\n",
		"| **with the fence, in a transaction** | 2x (2 to 2) | 2x (2 to 2) | +1 |\n",
		"![What the fence costs](fence.svg)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "The fence on PostgreSQL") {
		t.Error("there is a table without figures")
	}
}

func TestBars(t *testing.T) {
	t.Parallel()
	svg, err := bars("title", []string{"one", "none", "many"}, []float64{1.5, math.NaN(), 40})
	if err != nil || !strings.Contains(string(svg), "1.5x") || !strings.Contains(string(svg), "40x") {
		t.Errorf("%v\n%s", err, svg)
	}
}

func TestBackendsThatAreRequired(t *testing.T) {
	t.Setenv("REQUIRE_BACKENDS", "1")
	all := []string{redisVariable, postgresVariable, mysqlVariable}
	for _, missing := range all {
		for _, name := range all {
			t.Setenv(name, "somewhere")
		}
		t.Setenv(missing, "")
		err := run(t.Context(), nil, io.Discard, io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), missing+" is not set") {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}

func TestHelpNamesTheServers(t *testing.T) {
	t.Parallel()
	var status bytes.Buffer
	if _, err := parse([]string{"-help"}, &status); err != flag.ErrHelp { //nolint:errorlint // what the package returns
		t.Fatal(err)
	}
	for _, want := range []string{redisVariable, postgresVariable, mysqlVariable, "fence"} {
		if !strings.Contains(status.String(), want) {
			t.Errorf("the help lacks %s:\n%s", want, status.String())
		}
	}
}

// TestFenceOnSQLite takes the way of every figure, with one store.
func TestFenceOnSQLite(t *testing.T) {
	t.Parallel()
	ctx, dir := context.Background(), t.TempDir()
	s, err := openSQLite(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := closeStore(ctx, s); err != nil {
			t.Error(err)
		}
	}()
	for _, of := range []load{{1, 1}, {4, 3}} {
		for _, w := range []*way{{name: "plain"}, {name: "fenced", byHand: true}} {
			if err := w.prepare(ctx, s, of); err != nil {
				t.Fatal(err)
			}
			us, trips, err := s.measure(ctx, w, 1)
			if err != nil || us <= 0 || !math.IsNaN(trips) {
				t.Errorf("%s, %s: %v µs, %v round trips, %v", w.name, of, us, trips, err)
			}
			// One for the warm-up, and the window is over after one of each.
			if n := w.saves.Load(); n != int64(1+of.callers) {
				t.Errorf("%s, %s: %d saves", w.name, of, n)
			}
			last := w.callers[of.callers-1].records[of.rows-1]
			stored, err := w.records.FindByID(ctx, last.ID)
			if err != nil || *stored != *last {
				t.Errorf("%s, %s: %+v is stored, %+v was saved, %v", w.name, of, stored, last, err)
			}
		}
	}
}
