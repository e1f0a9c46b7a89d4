package main

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/cmd/internal/child"
)

// The processes of a run are this test again, in another role.
func TestMain(m *testing.M) {
	if child.InRole() {
		os.Exit(code())
	}
	os.Exit(m.Run())
}

// logWriter shows the progress of a run in the log of its test.
type logWriter struct{ t *testing.T }

func (w logWriter) Write(p []byte) (int, error) {
	w.t.Log(string(p))
	return len(p), nil
}

// The short run of the program: no acknowledged update is lost, and the
// weaker designs lose where they must. The race detector has nothing to find in those.
func TestShort(t *testing.T) {
	args := []string{"-short", "-dir", t.TempDir()}
	if raceEnabled {
		args = append(args, "-design", holdfast)
	}
	c, err := parse(args, logWriter{t})
	if err != nil {
		t.Fatal(err)
	}
	k, err := newCampaign(t.Context(), c, logWriter{t})
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	// The machine may be busy with other tests.
	k.patience = time.Minute
	results, err := k.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	loses := map[string]bool{}
	for _, r := range results {
		loses[r.design] = loses[r.design] || r.Lost > 0
		if why := r.wrong(); why != "" {
			t.Errorf("%s, %s on %s: %s\n%q", r.fault, r.design, r.store, why, r.Problems)
		}
	}
	if raceEnabled {
		return
	}
	for _, design := range allDesigns {
		if design != holdfast && !loses[design] {
			t.Errorf("%s lost nothing: the faults do nothing", design)
		}
	}
	rightInTheLaboratory(t, k)
}

// The hand-made fence loses nothing under the signature. So what it loses in
// other cells is the work of their setups.
func rightInTheLaboratory(t *testing.T, k *campaign) {
	t.Helper()
	faults := faults()
	f := faults[slices.IndexFunc(faults, func(f *fault) bool { return f.name == "signature" })]
	before := len(k.cells)
	k.add(f, handFenced, k.stores[slices.IndexFunc(k.stores, func(s store) bool { return s.name == onSQLite })])
	c := k.cells[before]
	c.cluster, c.namespace = k.clusters[f.cluster()], "torture/laboratory/"
	r, err := c.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.wronged() > 0 || r.Acked != 1 || r.Refused != 1 {
		t.Errorf("the hand-made fence acknowledged %d and refused %d, and want one of each: %q", r.Acked, r.Refused, r.Problems)
	}
}
