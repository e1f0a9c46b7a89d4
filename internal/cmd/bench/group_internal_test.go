package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/internal/devserver"
)

func TestCallsThatEndedInTheWindow(t *testing.T) {
	t.Parallel()
	at := func(ended, took int) call {
		return call{time.Duration(ended) * time.Millisecond, time.Duration(took) * time.Millisecond}
	}
	for name, c := range map[string]struct {
		callers int
		all     []call
		want    sample
	}{
		"together":  {2, []call{at(60, 60), at(60, 60), at(30, 30), at(30, 30), at(110, 50)}, sample{15000, 60}},
		"too late":  {2, []call{at(300, 300), at(50, 50), at(400, 100)}, sample{150_000, 300}},
		"all alone": {1, []call{at(100, 100)}, sample{100_000, 100}},
	} {
		if got := sampleOf(100*time.Millisecond, c.callers, c.all); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	var many []call
	for i := range 200 {
		many = append(many, at(i, i+1))
	}
	if got := sampleOf(time.Second, 1, many); got.p99 != 198 {
		t.Errorf("the 99th percentile of 1 to 200 is %v", got.p99)
	}
	if got := sampleOf(time.Second, 1, nil); !math.IsNaN(got.micros) || !math.IsNaN(got.p99) {
		t.Errorf("no calls have figures: %+v", got)
	}
}

func TestFasterGoesByRounds(t *testing.T) {
	t.Parallel()
	a, b := series{[]float64{1, 4, 3}, []float64{10, 40, 30}}, series{[]float64{2, 2, math.NaN()}, []float64{20, 20, math.NaN()}}
	if got, want := faster(a, b), (series{[]float64{1, 2, 3}, []float64{10, 20, 30}}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// groupFiguresOf is a store where saves that are put together are three times as fast
// as those of GORM, and take half as long.
func groupFiguresOf(k storeKind) groupFigures {
	f := groupFigures{storeKind: k, about: "made up"}
	add := func(of load, kind string) {
		f.loads = append(f.loads, groupLoadFigures{load: of, kind: kind, got: []series{
			gormDefault:    {[]float64{500, 300}, []float64{5, 4}},
			gormQuick:      {[]float64{300, 600}, []float64{4, 6}},
			lockedSeparate: {[]float64{900, 900}, []float64{9, 9}},
			lockedTogether: {[]float64{100, 100}, []float64{2, 2}},
		}})
	}
	for _, rows := range []int{1, groupRows} {
		for _, callers := range groupCrowds() {
			add(load{callers, rows}, plainSaves)
		}
	}
	for _, rows := range groupSizes() {
		if rows > groupRows {
			add(load{groupCallers, rows}, plainSaves)
		}
	}
	many := load{groupCallers, groupRows}
	add(many, hookedSaves)
	add(many, refusedSaves)
	add(load{groupCallers, 1}, groupedEdits)
	add(load{groupCallers, 1}, stripedEdits)
	return f
}

func TestGroupIsReported(t *testing.T) {
	t.Setenv(postgresVariable, "somewhere")
	kinds := groupStores()
	if len(kinds) != 3 {
		t.Fatalf("%d stores", len(kinds))
	}
	b := &bench{report: &report{}, members: 1}
	var others []groupPeerFigures
	for i, p := range append([]groupPeer{{name: groupWayName(lockedTogether)}}, b.peersOfGroup()...) {
		f := groupPeerFigures{groupPeer: p}
		if p.missing == "" {
			f.got = series{[]float64{10 * (1 + 12*float64(i))}, []float64{1}}
		}
		others = append(others, f)
	}
	err := b.reportGroup([]groupFigures{
		groupFiguresOf(kinds[0]),
		groupFiguresOf(kinds[1]),
		{storeKind: kinds[2]}, // its variable was not set
	}, others, lo.Map(fleetSizes(), func(n, _ int) fleetFigures { return fleetFigures{n, groupFiguresOf(kinds[1]).loads[0].got} }))
	if err != nil {
		t.Fatal(err)
	}
	text := b.report.text(false)
	for _, want := range []string{
		"| 64 callers, 10 rows, locked, PostgreSQL | " + bestOfGORM + " | at least 3x | 3x (3 to 3) | met |",
		"| the same | its p99 | at most 0.5x | 0.5x (0.5 to 0.5) | met |",
		"| 256 callers, 1 row, locked, PostgreSQL | " + bestOfGORM + " | at least 4x | 3x (3 to 3) | **missed** |",
		"| 64 callers, 10 rows, 1 % refused, locked, PostgreSQL | the same with none refused | at least 0.55x | 1x (1 to 1) | met |",
		"| 1 caller, 10 rows, locked, MySQL or MariaDB | " + bestOfGORM + " | at least 0.8x | MYSQL_DSN was not set | not measured |",
		"| 64 callers, 10 rows, locked | redsync and GORM | at least 12x | REDIS_ADDR was not set | not measured |",
		"| 64 callers, 10 rows, locked | `pg_advisory_xact_lock` | at least 12x | 25x | met |",
		"| 3 processes of 16 callers, 10 rows, locked | " + bestOfGORM + " | at least 2x | 3x (3 to 3) | met |",
		"- MySQL or MariaDB: not measured, MYSQL_DSN was not set\n",
		"![Saves put together](group.svg)\n",
		"| **64 callers, 1 row, `Update`** | 400 (300 to 500) | 450 (300 to 600) | 900 (900 to 900) | 100 (100 to 100) | 3x (3 to 3) |\n",
		"![The p99 of saves put together](group-p99.svg)\n",
		"![Saves of more rows](group-rows.svg)\n",
		"| 100 | 266667 (200000 to 333333) |",
		"![Saves of one to eight processes](group-processes.svg)\n",
		"| 8 | 2500 (1667 to 3333) | 5 (4 to 6) | 10000 (10000 to 10000) | 2 (2 to 2) | 4.5x (3 to 6) |\n",
		"| locked, one by one | 900 (900 to 900) | 9 (9 to 9) | 0.333x (0.333 to 0.333) |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "Saves put together on MySQL") {
		t.Error("there is a table without figures")
	}
}

// newGroupLocker has an etcd of its own.
func newGroupLocker(t *testing.T) (*etcdlock.Locker, servers) {
	t.Helper()
	srv, err := devserver.StartEtcd(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	where := servers{Etcd: srv.Endpoints()}
	m, err := newOurs(where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closeMember(context.Background(), m); err != nil {
			t.Error(err)
		}
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return m.locker, where
}

// TestGroupOnSQLite takes the way of every figure, with one store.
func TestGroupOnSQLite(t *testing.T) {
	t.Parallel()
	locker, _ := newGroupLocker(t)
	ctx := t.Context()
	s, err := openSQLite(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := closeStore(context.Background(), s); err != nil {
			t.Error(err)
		}
	}()
	loads, err := groupLoads(ctx, s, locker)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range loads {
		for way := range g.ways {
			tryWay(t, s, g, way)
		}
	}
}

// tryWay has each caller save by a way.
func tryWay(t *testing.T, s *store, g groupLoad, way int) {
	t.Helper()
	name, call := g.title()+", "+groupWayName(way), g.ways[way]
	if call == nil {
		if g.kind != groupedEdits && g.kind != stripedEdits || way != gormQuick {
			t.Errorf("%s: there is no such way", name)
		}
		return
	}
	before := sumOfChanges(t, s)
	for range 2 { // one of a hundred is refused
		all, err := callsFor(t.Context(), 0, g.callers, call)
		if err != nil || len(all) != g.callers {
			t.Fatalf("%s: %d calls, %v", name, len(all), err)
		}
	}
	if sumOfChanges(t, s) == before {
		t.Errorf("%s: nothing was stored", name)
	}
}

// sumOfChanges differs once something was saved.
func sumOfChanges(t *testing.T, s *store) (sum int64) {
	t.Helper()
	err := s.db.Raw("SELECT (SELECT SUM(n * id) FROM articles) + (SELECT SUM(n * id) FROM hooked_articles) + (SELECT SUM(n * id) FROM striped_articles)").Scan(&sum).Error
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestOneSaveOfAHundredIsRefused(t *testing.T) {
	t.Parallel()
	rows, refused := []*article{{ID: 1, N: 5}}, 0
	save := refusedAtTimes(func(_ context.Context, rows []*article) error {
		if rows[0].N < 0 {
			refused++
			return context.DeadlineExceeded
		}
		return nil
	})
	for range 200 {
		if err := save(t.Context(), rows); err != nil || rows[0].N != 5 {
			t.Fatalf("%v, and the row has %d", err, rows[0].N)
		}
	}
	if refused != 2 {
		t.Errorf("%d of 200 were refused", refused)
	}
	stored := refusedAtTimes(func(context.Context, []*article) error { return nil })
	for i := range 100 {
		if err := stored(t.Context(), rows); (err != nil) != (i == 99) {
			t.Fatalf("save %d: %v", i, err)
		}
	}
}

// TestProcessOfAFleet is a process, but for the process.
func TestProcessOfAFleet(t *testing.T) {
	t.Parallel()
	if groupPostgres().missing() {
		t.Skip(postgresVariable + " is not set")
	}
	_, where := newGroupLocker(t)
	s, err := openPostgres(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := closeStore(context.Background(), s); err != nil {
			t.Error(err)
		}
	}()
	if err := groupTables(t.Context(), s.db); err != nil {
		t.Fatal(err)
	}
	const others = 160
	var in, out bytes.Buffer
	if err := json.NewEncoder(&in).Encode(fleetWindow{Way: lockedTogether, Time: 1}); err != nil {
		t.Fatal(err)
	}
	if err := saveAsChild(t.Context(), fleetJob{Servers: where, Schema: s.schema, Key: "articles", Others: others}, &in, &out); err != nil {
		t.Fatal(err)
	}
	var word string
	var calls []call
	says := json.NewDecoder(&out)
	if err := says.Decode(&word); err != nil || word != "ready" {
		t.Fatalf("said %q: %v", word, err)
	}
	if err := says.Decode(&calls); err != nil || len(calls) != fleetCallers {
		t.Errorf("told of %d calls: %v", len(calls), err)
	}
	if err := says.Decode(&word); !errors.Is(err, io.EOF) {
		t.Errorf("said more: %v", err)
	}
	var least, most int64
	if err := s.db.Raw("SELECT MIN(id), MAX(id) FROM articles WHERE n > 0").Row().Scan(&least, &most); err != nil {
		t.Fatal(err)
	}
	if least != others+1 || most != others+fleetCallers*groupRows {
		t.Errorf("changed rows %d to %d", least, most)
	}
}
