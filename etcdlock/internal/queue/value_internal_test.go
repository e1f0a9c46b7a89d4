package queue

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// Values of earlier builds, and of later ones with fields that nobody here knows, are read;
// and earlier builds, which look for a successor in front, find it.
func TestValue_OtherBuilds(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]document{
		`{"successor":"5","host":"h","pid":7,"since":"2026-01-02T03:04:05Z"}`: {
			Successor: "5", Owner: Owner{Host: "h", PID: 7, Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		},
		`{"v":9,"host":"h","pid":7,"more":{"x":[1]},"lingers":true,"data":"d"}`: {
			Version: 9, Lingers: true, Owner: Owner{Host: "h", PID: 7, Data: "d"},
		},
		``:                   {},
		`not JSON`:           {},
		`{"host":"h"`:        {},
		`{"successor":"5","`: {},
		`{"pid":"seven"`:     {},
	} {
		if got := parse([]byte(value)); got != want {
			t.Errorf("%s reads as %+v", value, got)
		}
	}
	sp := NewSpace(Config{Self: Owner{Host: "h", PID: 7, Data: "d"}})
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	value := sp.document("5", true, since)
	if !strings.HasPrefix(value, `{"successor":"5",`) || !json.Valid([]byte(value)) || !strings.Contains(value, `"v":1`) {
		t.Errorf("wrote %s", value)
	}
	want := document{Successor: "5", Lingers: true, Owner: Owner{Host: "h", PID: 7, Data: "d", Since: since}, Version: valueVersion}
	if got := parse([]byte(value)); got != want {
		t.Errorf("%s reads as %+v", value, got)
	}
}
