package main

import (
	"context"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestMongoWaysStore takes the way of every figure.
func TestMongoWaysStore(t *testing.T) {
	t.Parallel()
	locker, _ := newGroupLocker(t)
	s, err := openStandIn(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := closeStore(context.Background(), s); err != nil {
			t.Error(err)
		}
	}()
	g, err := mongoLoad(t.Context(), s, locker, load{2, 3})
	if err != nil {
		t.Fatal(err)
	}
	for i, call := range g.ways {
		if _, err := callsFor(t.Context(), 0, g.callers, call); err != nil {
			t.Fatalf("%s: %v", mongoWayName(i), err)
		}
	}
	names, err := s.mongo.ListCollectionNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	stored := map[int64]int64{} // documents that were changed so often
	for _, name := range names {
		for n := range int64(2) {
			count, err := s.mongo.Collection(name).CountDocuments(t.Context(), bson.D{{Key: "n", Value: n + 1}})
			if err != nil {
				t.Fatal(err)
			}
			stored[n+1] += count
		}
	}
	// The ways share the rows: each changes them once, in its own collection.
	if stored[1] != 6 || stored[2] != 6 {
		t.Errorf("stored %v", stored)
	}
}

func TestMongoIsReported(t *testing.T) {
	t.Parallel()
	b := &bench{report: &report{}, members: 1}
	figures := func(of load, driver, ours float64) groupLoadFigures {
		return groupLoadFigures{load: of, got: []series{{[]float64{driver}, []float64{1}}, {[]float64{ours}, []float64{2}}}}
	}
	b.reportMongo("Made up", []groupLoadFigures{figures(load{1, groupRows}, 90, 100), figures(load{groupCallers, groupRows}, 100, 100)})
	text := b.report.text(false)
	for _, want := range []string{
		"| 1 caller, 10 rows, locked, MongoDB's stand-in | the driver's `BulkWrite` without a lock | at least 0.8x | 0.9x | met |",
		"| 64 callers, 10 rows, locked, MongoDB's stand-in | the driver's `BulkWrite` without a lock | at least 1.5x | 1x | **missed** |",
		"handles one request at a time",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
}
